package annotation

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

var _ = add(
	Row{
		Key: "proxy-ssl-ciphers", Scope: ScopeBackend, Value: "suites by OpenSSL's names, with colons between", Default: "Go's",
		Set: ciphers(func(s *Settings) *Ciphers { return &s.TLS.Ciphers }),
		Get: func(s *Settings) any { return s.TLS.Ciphers },
		Doc: "Cipher suites offered to TLS Backends, for TLS 1.2 and below. Groups such as HIGH are not supported.",
	},
	Row{
		Key: "proxy-ssl-name", Scope: ScopeBackend, Value: "DNS name", Default: "service.namespace.svc, or the name of an ExternalName",
		Set: setTLSName,
		Get: func(s *Settings) any { return s.TLS.Name },
		Doc: "The name that a TLS Backend's certificate must be good for, and that SNI sends.",
	},
	Row{
		Key: "proxy-ssl-protocols", Scope: ScopeBackend, Value: "some of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", Default: "TLSv1.2 TLSv1.3",
		Set: setTLSVersions,
		Get: func(s *Settings) any { return [...]uint16{s.TLS.Min, s.TLS.Max} },
		Doc: "Versions spoken with TLS Backends.",
	},
	Row{
		Key: "proxy-ssl-secret", Scope: ScopeBackend, Value: "Secret, or namespace/Secret",
		Set: setTLSSecret,
		Get: func(s *Settings) any { return s.TLS.Secret },
		Doc: "Secret of the same namespace, of any type: ca.crt verifies TLS Backends, tls.crt and tls.key are shown to them. " +
			"A Secret that is missing or cannot be read, or that has no ca.crt while proxy-ssl-verify is on: 503.",
	},
	Row{
		Key: "proxy-ssl-server-name", Scope: ScopeBackend, Value: "on or off", Default: "off",
		Set: onOff(func(s *Settings) *bool { return &s.TLS.SendName }),
		Get: func(s *Settings) any { return s.TLS.SendName },
		Doc: "Whether SNI is sent to TLS Backends.",
	},
	Row{
		Key: "proxy-ssl-verify", Scope: ScopeBackend, Value: "on or off", Default: "off",
		Set: onOff(func(s *Settings) *bool { return &s.TLS.Verify }),
		Get: func(s *Settings) any { return s.TLS.Verify },
		Doc: "Whether TLS Backends must show a good certificate. Without proxy-ssl-secret the system's authorities count.",
	},
	Row{
		Key: "proxy-ssl-verify-depth", Scope: ScopeBackend, Value: "number", Default: "1",
		Set: depth(func(s *Settings) *int { return &s.TLS.Depth }),
		Get: func(s *Settings) any { return s.TLS.Depth },
		Doc: "Most intermediate certificates between a TLS Backend's and the authority's.",
	},
)

func setTLSSecret(s *Settings, value string) error {
	if value == "" {
		return s.close("want the name of a Secret, or namespace/name; every path of the object answers 503")
	}
	s.TLS.Secret = value
	return nil
}

func setTLSName(s *Settings, value string) error {
	name := strings.ToLower(value)
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return errors.New("want a DNS name; that of the Service is used")
	}
	s.TLS.Name = name
	return nil
}

// tlsVersions are nginx's names of TLS versions, in order.
var tlsVersions = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

func setTLSVersions(s *Settings, value string) error {
	var found [4]bool
	for name := range strings.FieldsSeq(value) {
		i := slices.Index(tlsVersions, name)
		if i < 0 {
			return fmt.Errorf("want some of %s; the default is used", strings.Join(tlsVersions, ", "))
		}
		found[i] = true
	}
	first, last, n := slices.Index(found[:], true), 0, 0
	for i, on := range found {
		if on {
			last, n = i, n+1
		}
	}
	if first < 0 || n != last-first+1 {
		return errors.New("want versions without a gap between them; the default is used")
	}
	s.TLS.Min, s.TLS.Max = tls.VersionTLS10+uint16(first), tls.VersionTLS10+uint16(last)
	return nil
}
