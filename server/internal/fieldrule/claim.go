package fieldrule

import "github.com/sluice-gateway/sluice/server/internal/message"

// Claim is what an otherwise unknown name says about the client.
type Claim uint8

const (
	NoClaim     Claim = iota
	Forwarded         // where its request comes from, or how it came
	Certificate       // what certificate it has shown
)

// ClaimOf names the claim of a field with that name. Besides the names that this gateway and ingress-nginx
// write, these are what Backends are told by other proxies (HAProxy, Envoy, Traefik), and RFC 9440: a
// Backend that was behind one of them believes it.
//
// hot: runs per field with an unknown name; no alloc, no lock.
func ClaimOf(name []byte) Claim {
	if len(name) < len("client-cert") {
		return NoClaim
	}
	switch name[0] | 0x20 {
	case 's':
		if name[1]|0x20 == 's' && begins(name, "ssl-client-") {
			return Certificate
		}
	case 'c':
		if begins(name, "client-cert") {
			return Certificate
		}
	case 'x':
		switch name[2] | 0x20 {
		case 'f':
			switch {
			case !begins(name, "x-forwarded-"):
			case begins(name, "x-forwarded-client-cert"), begins(name, "x-forwarded-tls-client-"):
				return Certificate
			default:
				return Forwarded
			}
		case 'o':
			if begins(name, "x-original-forwarded-") {
				return Forwarded
			}
		case 'c':
			if begins(name, "x-client-cert") || begins(name, "x-client-verify") || begins(name, "x-client-dn") {
				return Certificate
			}
		case 's':
			if begins(name, "x-ssl-client-") {
				return Certificate
			}
		}
	}
	return NoClaim
}

// begins reports whether name begins with prefix, which is in lower case.
func begins(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && message.EqualFold(name[:len(prefix)], prefix)
}
