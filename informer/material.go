package informer

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// material is the parsed content of a Secret named by an annotation; each part is there, or absent,
// or at fault. Immutable.
type material struct {
	// roots are the authorities of ca.crt, nil where there is none or rootsFault explains why.
	roots      *x509.CertPool
	rootsFault string
	// pair is made from tls.crt and tls.key, likewise.
	pair      *tls.Certificate
	pairFault string
	// revoked are the serial numbers on the lists of ca.crl, by issuer, likewise.
	revoked      routing.Revocations
	revokedFault string
	// sum is over everything that was read, and authorities over ca.crt and ca.crl.
	sum, authorities [sha256.Size]byte
}

const rootsKey = corev1.ServiceAccountRootCAKey

func parseMaterial(secret *corev1.Secret) *material {
	m := &material{
		sum:         sumOf(secret, source.SecretKeys...),
		authorities: sumOf(secret, rootsKey, source.RevocationKey),
	}
	if text := secret.Data[rootsKey]; len(text) > 0 {
		m.roots, m.rootsFault = parseRoots(text)
	}
	if len(secret.Data[corev1.TLSCertKey])+len(secret.Data[corev1.TLSPrivateKeyKey]) > 0 {
		m.pair, m.pairFault = parseKeyPair(secret)
	}
	if text := secret.Data[source.RevocationKey]; len(text) > 0 {
		m.revoked, m.revokedFault = parseRevocations(text)
	}
	return m
}

// sumOf hashes values of a Secret, each with its length.
func sumOf(secret *corev1.Secret, keys ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, key := range keys {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(secret.Data[key]))))
		h.Write(secret.Data[key])
	}
	h.Sum(sum[:0])
	return sum
}

// parseRoots reads certificates; one that cannot be read fails them all, because a missing authority
// locks out the clients that it certified.
func parseRoots(text []byte) (*x509.CertPool, string) {
	roots, n := x509.NewCertPool(), 0
	blocks, whole := pemBlocks(text)
	if !whole {
		return nil, rootsKey + " holds a broken PEM block"
	}
	for _, block := range blocks {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != certificateBlock {
			return nil, rootsKey + " holds what is no PEM certificate"
		}
		roots.AddCert(certificate)
		n++
	}
	if n == 0 {
		return nil, rootsKey + " holds no PEM certificate"
	}
	return roots, ""
}

// parseRevocations reads lists of revoked certificates (RFC 5280 section 5). Signatures are not
// checked: the right to write the list is the right to write the authorities beside it.
func parseRevocations(text []byte) (routing.Revocations, string) {
	revoked := make(routing.Revocations)
	blocks, whole := pemBlocks(text)
	if !whole {
		return nil, source.RevocationKey + " holds a broken PEM block"
	}
	for _, block := range blocks {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil || block.Type != "X509 CRL" {
			return nil, source.RevocationKey + " holds what is no PEM list of revoked certificates"
		}
		revoked.Add(list)
	}
	if len(revoked) == 0 {
		return nil, source.RevocationKey + " holds no PEM list of revoked certificates"
	}
	return revoked, ""
}

// credential returns the content of an annotation's Secret, or nil and why not; the reason is "" while
// the Secret may still arrive. Only the object's own namespace is allowed, as in ingress-nginx: the
// right to write an Ingress is not the right to use the Secrets of other namespaces.
func (c *compiler) credential(reference string) (m *material, name routing.ObjectName, fault string) {
	name, err := secretName(reference, c.ing.Namespace)
	if err != nil {
		return nil, name, err.Error()
	}
	if c.entry.credentials == nil {
		c.entry.credentials = make(map[routing.ObjectName]struct{})
	}
	c.entry.credentials[name] = struct{}{}
	used := c.b.credentials.use(name, c.entry.source.Ingress)
	secret := c.b.cache.secrets[name]
	if secret == nil {
		return nil, name, c.b.credentialAbsence(name)
	}
	if used.material == nil {
		used.material = parseMaterial(secret)
	}
	return used.material, name, ""
}

// secretName reads "namespace/name" or "name".
func secretName(reference, namespace string) (routing.ObjectName, error) {
	space, name, both := strings.Cut(reference, "/")
	if !both {
		space, name = namespace, reference
	}
	switch {
	case name == "" || space == "" || strings.Contains(name, "/"):
		return routing.ObjectName{}, errors.New("want the name of a Secret, or namespace/name")
	case space != namespace:
		return routing.ObjectName{}, errors.New("the Secret must be in the namespace of the Ingress, " + namespace)
	}
	return routing.ObjectName{Namespace: space, Name: name}, nil
}

// annotationName returns the field of the annotation that set a value.
func (c *compiler) annotationName(key string) string {
	return annotationField(annotation.Name(c.ing.Annotations, key))
}

// In manifests a key may be any text.
func annotationField(name string) string {
	return "metadata.annotations[" + printable(name, '?') + "]"
}
