package informer

import (
	"crypto/tls"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// tlsSection is one element of an Ingress's spec.tls, which names a Secret.
type tlsSection struct {
	// position is the section's index in spec.tls, and secret the object.
	position int
	secret   routing.ObjectName
	// hosts are the listed ones, as Host.Name spells them, sorted, each once.
	hosts []string
	// implied are the hosts of the object's rules that no section lists. Every section stands for
	// them too, as far as its certificate is good for them: ingress-nginx does so, and a section
	// without hosts has no other meaning.
	implied []string
}

// tls reads spec.tls, after the rules. A section without a Secret asks for the gateway's default
// certificate, and has nothing to read here.
func (c *compiler) tls() {
	listed := make(map[string]bool)
	for i := range c.ing.Spec.TLS {
		spec := &c.ing.Spec.TLS[i]
		section := tlsSection{position: i, secret: routing.ObjectName{Namespace: c.ing.Namespace, Name: spec.SecretName}}
		for j, host := range spec.Hosts {
			name, ok := hostName(host)
			if !ok || name == "" {
				c.reject(fmt.Sprintf("spec.tls[%d].hosts[%d]", i, j), host,
					"want a DNS name, or \"*.\" and a DNS name, and no address or port; the name is left out")
				continue
			}
			listed[name] = true
			section.hosts = append(section.hosts, name)
		}
		if spec.SecretName == "" {
			continue
		}
		slices.Sort(section.hosts)
		section.hosts = slices.Compact(section.hosts)
		c.entry.tls = append(c.entry.tls, section)
	}
	var implied []string
	for _, h := range c.entry.hosts {
		if h.name != "" && !listed[h.name] {
			implied = append(implied, h.name)
		}
	}
	for i := range c.entry.tls {
		c.entry.tls[i].implied = implied
	}
}

func sectionField(position int) string { return fmt.Sprintf("spec.tls[%d].secretName", position) }

func (s tlsSection) same(o tlsSection) bool {
	return s.position == o.position && s.secret == o.secret && slices.Equal(s.hosts, o.hosts) && slices.Equal(s.implied, o.implied)
}

// claims yields the names that the section claims for its object; by has the object's name and age.
func (s tlsSection) claims(by routing.Source) iter.Seq2[string, claim] {
	return func(yield func(string, claim) bool) {
		c := claim{source: by, secret: s.secret, section: s.position, listed: true}
		for _, name := range s.hosts {
			if !yield(name, c) {
				return
			}
		}
		c.listed = false
		for _, name := range s.implied {
			if !yield(name, c) {
				return
			}
		}
	}
}

// parsePair reads a Secret. fault describes its error in our own words: the parser's might repeat its input.
func parsePair(secret *corev1.Secret) (pair *tls.Certificate, fault string) {
	if secret.Type != corev1.SecretTypeTLS {
		return nil, "the Secret is of type " + shorten(stringOf(secret.Type)) + ", want " + string(corev1.SecretTypeTLS)
	}
	return parseKeyPair(secret)
}

// parseKeyPair reads the pair of a Secret of any type.
func parseKeyPair(secret *corev1.Secret) (pair *tls.Certificate, fault string) {
	chain, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	for name, data := range map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key} {
		if len(data) == 0 {
			fault = "the Secret has no " + name
		}
	}
	if len(chain) == 0 && len(key) == 0 {
		fault = "the Secret has no " + corev1.TLSCertKey + " and no " + corev1.TLSPrivateKeyKey
	}
	if fault != "" {
		return nil, fault
	}
	return parsePEMPair(chain, key)
}

func stringOf(t corev1.SecretType) string {
	if t == "" {
		// The API server's default.
		return string(corev1.SecretTypeOpaque)
	}
	return string(t)
}

// maxUncovered bounds the hosts that one Rejection names.
const maxUncovered = 3

// objections describes the faults of the Certificate of a section that is served. elsewhere reports
// whether another section of the object is good for a name.
func (s tlsSection) objections(c *routing.Certificate, now time.Time, elsewhere func(name string) bool) (reasons []string) {
	if reason := objection(c, now); reason != "" {
		reasons = append(reasons, reason)
	}
	covered := func(host string) bool { return covers(c.Certificate.Leaf, host) }
	missing := slices.DeleteFunc(slices.Clone(s.hosts), covered)
	const without = "; without another one the default certificate is"
	switch {
	case len(missing) > 0:
		reasons = append(reasons, "the certificate is not good for "+someNames(missing)+", and is not served there"+without)
	case len(s.hosts) > 0:
	case len(s.implied) == 0:
		reasons = append(reasons, "neither this section nor a rule has a host that no other section lists, so that the certificate is served nowhere; list its hosts")
	case !slices.ContainsFunc(s.implied, covered):
		reasons = append(reasons, "the certificate is good for no host of the object, "+someNames(s.implied)+", and is served nowhere"+without)
	default:
		missing = slices.DeleteFunc(slices.Clone(s.implied), func(host string) bool { return covered(host) || elsewhere(host) })
		if len(missing) > 0 {
			reasons = append(reasons, "the certificate is not good for "+someNames(missing)+", and is not served there"+without)
		}
	}
	return reasons
}

// someNames lists the first names of a list that is not empty.
func someNames(names []string) string {
	list := strings.Join(names[:min(len(names), maxUncovered)], ", ")
	if more := len(names) - maxUncovered; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// objection describes what clients will object to in a Certificate, or nothing.
func objection(c *routing.Certificate, now time.Time) string {
	const served = "; it is served all the same, and clients refuse it"
	switch validity(c.NotBefore, c.NotAfter, now) {
	case 1:
		return "the certificate expired at " + c.NotAfter.Format(time.RFC3339) + served
	case -1:
		return "the certificate is not valid before " + c.NotBefore.Format(time.RFC3339) + served
	}
	if nameless(c.Certificate.Leaf) {
		return "the certificate has no subject alternative name, and clients of today do not look at its common name" + served
	}
	return ""
}
