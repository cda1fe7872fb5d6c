package informer

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// tlsSection is one element of an Ingress's spec.tls, which names a Secret.
type tlsSection struct {
	// field is the path of the name, and secret the object.
	field  string
	secret routing.ObjectName
	// hosts are as Host.Name spells them, sorted, each once.
	hosts []string
	// implied is true where the section names no hosts. It then stands for those of the object's
	// rules, as far as the certificate is good for them.
	implied bool
}

// tls reads spec.tls, after the rules. A section without a Secret asks for the gateway's default
// certificate, which is not the object's business.
func (c *compiler) tls() {
	for i := range c.ing.Spec.TLS {
		spec := &c.ing.Spec.TLS[i]
		field := fmt.Sprintf("spec.tls[%d]", i)
		section := tlsSection{
			field:   field + ".secretName",
			secret:  routing.ObjectName{Namespace: c.ing.Namespace, Name: spec.SecretName},
			implied: len(spec.Hosts) == 0,
		}
		for j, host := range spec.Hosts {
			name, ok := hostName(host)
			if !ok || name == "" {
				c.reject(fmt.Sprintf("%s.hosts[%d]", field, j), host,
					"want a DNS name, or \"*.\" and a DNS name, and no address or port; the name is left out")
				continue
			}
			section.hosts = append(section.hosts, name)
		}
		if section.implied {
			for _, h := range c.entry.hosts {
				if h.name != "" {
					section.hosts = append(section.hosts, h.name)
				}
			}
		}
		if spec.SecretName == "" {
			continue
		}
		slices.Sort(section.hosts)
		section.hosts = slices.Compact(section.hosts)
		c.entry.tls = append(c.entry.tls, section)
	}
}

func (s tlsSection) same(o tlsSection) bool {
	return s.field == o.field && s.secret == o.secret && s.implied == o.implied && slices.Equal(s.hosts, o.hosts)
}

// namesOf returns the hosts of the section for which a certificate is served.
func (s tlsSection) namesOf(leaf *x509.Certificate) []string {
	if !s.implied {
		return s.hosts
	}
	return slices.DeleteFunc(slices.Clone(s.hosts), func(host string) bool { return !covers(leaf, host) })
}

// covers reports whether clients accept a certificate for a host. One for a wildcard needs that very
// wildcard: no certificate has a wildcard above it.
func covers(leaf *x509.Certificate, host string) bool {
	if strings.HasPrefix(host, "*.") {
		return slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return strings.EqualFold(name, host) })
	}
	return leaf.VerifyHostname(host) == nil
}

// notServed ends the reason of what leaves hosts without a certificate.
const notServed = "; its hosts have no certificate from here, and HTTP is served all the same"

// parsePair reads a Secret. fault says in words of our own what is wrong with it: an error of the
// parser might repeat what it read.
func parsePair(secret *corev1.Secret) (pair *tls.Certificate, fault string) {
	if secret.Type != corev1.SecretTypeTLS {
		return nil, "the Secret is of type " + shorten(stringOf(secret.Type)) + ", want " + string(corev1.SecretTypeTLS) + notServed
	}
	chain, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	for name, data := range map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key} {
		if len(data) == 0 {
			fault = "the Secret has no " + name + notServed
		}
	}
	if len(chain) == 0 && len(key) == 0 {
		fault = "the Secret has no " + corev1.TLSCertKey + " and no " + corev1.TLSPrivateKeyKey + notServed
	}
	if fault != "" {
		return nil, fault
	}
	parsed, err := tls.X509KeyPair(chain, key)
	switch {
	case err == nil && parsed.Leaf != nil:
		return &parsed, ""
	case !readableChain(chain):
		return nil, corev1.TLSCertKey + " is no chain of PEM certificates" + notServed
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return nil, corev1.TLSPrivateKeyKey + " is not the key of the certificate in " + corev1.TLSCertKey + notServed
	}
	return nil, corev1.TLSPrivateKeyKey + " is no PEM private key of a supported kind" + notServed
}

func readableChain(chain []byte) bool {
	block, _ := pem.Decode(chain)
	if block == nil || block.Type != "CERTIFICATE" {
		return false
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return err == nil
}

func stringOf(t corev1.SecretType) string {
	if t == "" {
		// What the API server takes it for.
		return string(corev1.SecretTypeOpaque)
	}
	return string(t)
}

// maxUncovered bounds the hosts that one Rejection names.
const maxUncovered = 3

// objections says what clients will find wrong with a certificate that is served all the same.
func (s tlsSection) objections(c *routing.Certificate, now time.Time) (reasons []string) {
	const served = "; it is served all the same, and clients refuse it"
	switch {
	case now.After(c.NotAfter):
		reasons = append(reasons, "the certificate expired at "+c.NotAfter.Format(time.RFC3339)+served)
	case now.Before(c.NotBefore):
		reasons = append(reasons, "the certificate is not valid before "+c.NotBefore.Format(time.RFC3339)+served)
	}
	if s.implied {
		return reasons
	}
	missing := slices.DeleteFunc(slices.Clone(s.hosts), func(host string) bool { return covers(c.Certificate.Leaf, host) })
	if len(missing) > 0 {
		list := strings.Join(missing[:min(len(missing), maxUncovered)], ", ")
		if more := len(missing) - maxUncovered; more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		reasons = append(reasons, "the certificate is not good for "+list+"; it is served there all the same, and clients refuse it")
	}
	return reasons
}
