package tlsconfig

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// DefaultCipherSuites are the TLS 1.2 suites with forward secrecy and authenticated encryption; the
// only ones that HTTP/2 allows (RFC 9113, appendix A).
var DefaultCipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// ianaNames are the suites that crypto/tls calls secure. TLS 1.3 suites have the same name with OpenSSL.
var ianaNames = func() map[string]uint16 {
	m := map[string]uint16{}
	for _, s := range tls.CipherSuites() {
		m[s.Name] = s.ID
	}
	// The names with which Go began; IANA's end in _SHA256.
	m["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"] = tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
	m["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"] = tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
	return m
}()

// ParseCiphers reads a list of cipher suites, by their OpenSSL or IANA names, separated by colons,
// commas or spaces. An empty list is DefaultCipherSuites. refused are the entries that name no suite
// that crypto/tls calls secure: finite-field DHE, static RSA, CBC with SHA-2, and OpenSSL's keywords.
// The order has no effect: crypto/tls picks by the strength and speed of both sides. TLS 1.3 suites are
// accepted and have no effect: they are always on.
func ParseCiphers(list string) (suites []uint16, refused []string) {
	for _, name := range split(list) {
		id, ok := ianaNames[name]
		if !ok {
			id, ok = routing.CipherSuite(name)
			ok = ok && secure(id)
		}
		if !ok {
			refused = append(refused, name)
			continue
		}
		suites = append(suites, id)
	}
	if len(suites) == 0 && len(refused) == 0 {
		suites = DefaultCipherSuites
	}
	return suites, refused
}

func secure(id uint16) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id })
}

// ParseProtocols reads a list such as "TLSv1.2 TLSv1.3" and returns the lowest and highest version in
// it. An empty list is both. refused are the entries that are not served: all before TLS 1.2 (RFC 8996).
func ParseProtocols(list string) (lowest, highest uint16, refused []string) {
	for _, name := range split(list) {
		var v uint16
		switch name {
		case "TLSv1.2":
			v = tls.VersionTLS12
		case "TLSv1.3":
			v = tls.VersionTLS13
		default:
			refused = append(refused, name)
			continue
		}
		if lowest == 0 || v < lowest {
			lowest = v
		}
		highest = max(highest, v)
	}
	if lowest == 0 && len(refused) == 0 {
		lowest, highest = tls.VersionTLS12, tls.VersionTLS13
	}
	return lowest, highest, refused
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == '\t' || r == '\n' })
}
