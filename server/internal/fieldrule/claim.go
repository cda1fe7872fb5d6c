package fieldrule

import "github.com/sluice-gateway/sluice/server/internal/message"

// Claim is the kind of statement about the client that a field makes, by a name that the parser does not know.
type Claim uint8

const (
	NoClaim          Claim = iota
	ForwardedClaim         // where the client's request comes from, or how it came
	CertificateClaim       // the certificate that the client has shown
)

// ClaimOf returns the claim of a field called name. Its names are those of this gateway and ingress-nginx, of other proxies
// (HAProxy, Envoy, Traefik) and of RFC 9440: a Backend that was behind one of them believes it.
//
// hot: runs per field with an unknown name; no alloc, no lock.
func ClaimOf(name []byte) Claim {
	if len(name) < len("client-cert") {
		return NoClaim
	}
	switch name[0] | 0x20 {
	case 's':
		if name[1]|0x20 == 's' && begins(name, "ssl-client-") {
			return CertificateClaim
		}
	case 'c':
		if begins(name, "client-cert") {
			return CertificateClaim
		}
	case 'x':
		switch name[2] | 0x20 {
		case 'f':
			switch {
			case !begins(name, "x-forwarded-"):
			case begins(name, "x-forwarded-client-cert"), begins(name, "x-forwarded-tls-client-"):
				return CertificateClaim
			default:
				return ForwardedClaim
			}
		case 'o':
			if begins(name, "x-original-forwarded-") {
				return ForwardedClaim
			}
		case 'c':
			if begins(name, "x-client-cert") || begins(name, "x-client-verify") || begins(name, "x-client-dn") {
				return CertificateClaim
			}
		case 's':
			if begins(name, "x-ssl-client-") {
				return CertificateClaim
			}
		}
	}
	return NoClaim
}

// begins reports whether name begins with prefix, which is in lower case.
func begins(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && message.EqualFold(name[:len(prefix)], prefix)
}
