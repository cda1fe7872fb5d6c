package secret

import (
	"crypto/x509"

	"github.com/sluice-gateway/sluice/routing"
)

// parseRoots reads the certificates of authorities; one that cannot be read fails them all, because a missing authority
// locks out the clients that it certified.
func parseRoots(text []byte) (roots *x509.CertPool, fault string) {
	blocks, whole := pemBlocks(text)
	if !whole {
		return nil, AuthoritiesKey + " holds a broken PEM block"
	}
	roots = x509.NewCertPool()
	for _, block := range blocks {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != certificateBlock {
			return nil, AuthoritiesKey + " holds what is no PEM certificate"
		}
		roots.AddCert(certificate)
	}
	if len(blocks) == 0 {
		return nil, AuthoritiesKey + " holds no PEM certificate"
	}
	return roots, ""
}

// parseRevocations reads lists of revoked certificates (RFC 5280 section 5). Signatures are not checked: the right to
// write the list is the right to write the authorities beside it.
func parseRevocations(text []byte) (revoked routing.Revocations, fault string) {
	blocks, whole := pemBlocks(text)
	if !whole {
		return nil, RevocationsKey + " holds a broken PEM block"
	}
	revoked = make(routing.Revocations)
	for _, block := range blocks {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil || block.Type != "X509 CRL" {
			return nil, RevocationsKey + " holds what is no PEM list of revoked certificates"
		}
		revoked.Add(list)
	}
	if len(revoked) == 0 {
		return nil, RevocationsKey + " holds no PEM list of revoked certificates"
	}
	return revoked, ""
}
