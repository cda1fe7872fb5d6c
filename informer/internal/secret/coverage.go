package secret

import (
	"crypto/x509"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// isGood reports whether there is a Certificate, and clients accept it for a host.
func isGood(c *routing.Certificate, host string) bool {
	return c != nil && covers(c.Certificate.Leaf, host)
}

// covers reports whether clients accept a certificate for a host. A wildcard host needs that very
// wildcard: no certificate has a wildcard above it. A certificate without any alternative name is judged
// by its common name; clients of today refuse it (RFC 6125 allowed it), and ingress-nginx serves it.
func covers(leaf *x509.Certificate, host string) bool {
	names := leaf.DNSNames
	if nameless(leaf) {
		names = []string{leaf.Subject.CommonName}
	}
	_, parent, _ := strings.Cut(host, ".")
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.TrimSuffix(strings.ToLower(name), ".")
		return name == host || parent != "" && name == "*."+parent
	})
}

// nameless reports whether a certificate has no subject alternative name.
func nameless(leaf *x509.Certificate) bool {
	return len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.URIs)+len(leaf.EmailAddresses) == 0
}
