package informer

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// opensslCiphers are the suites of TLS 1.2 and below that crypto/tls has, by OpenSSL's names, which is
// what ingress-nginx takes. Those with RC4 or 3DES are left out (RFC 7465, RFC 8429).
var opensslCiphers = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// parseCiphers reads a list in OpenSSL's form. nil stands for crypto/tls's default. The error names
// what is left out: groups (HIGH, !aNULL), and suites that crypto/tls does not have.
func parseCiphers(value string) (suites []uint16, err error) {
	if value == "DEFAULT" {
		return nil, nil
	}
	var unknown []string
	for _, name := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(":, ", r) }) {
		if id, ok := opensslCiphers[name]; ok {
			suites = append(suites, id)
		} else if !strings.HasPrefix(name, "TLS_") {
			// Those of TLS 1.3 are always offered and not chosen from.
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(suites) == 0:
		return nil, fmt.Errorf("want names of cipher suites, such as ECDHE-RSA-AES128-GCM-SHA256, separated by colons; the default is used")
	case len(unknown) > 0:
		return suites, fmt.Errorf("%s: not supported and left out", strings.Join(unknown, ", "))
	}
	return suites, nil
}
