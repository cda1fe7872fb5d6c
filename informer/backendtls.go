package informer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing"
)

// tlsVariant tells apart the Backends of one Service port by these settings; "" for the defaults. The content of the
// Secret is not in it, so that a Backend outlives its renewal.
func tlsVariant(t annotation.BackendTLS) string {
	if t == annotation.DefaultBackendTLS {
		return ""
	}
	depth := 0
	if t.Depth != annotation.DefaultBackendTLS.Depth {
		// Names of Backends, which metrics have, stay as they were before the default had a value.
		depth = t.Depth + 1
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{t.Verify, t.Secret, t.Name, t.SendName, depth, t.Min, t.Max, string(t.Ciphers)}))
	return "tls-" + hex.EncodeToString(sum[:4])
}

// endpointTLS is TLS to Backends of whichever Service, but for the name of the Service.
type endpointTLS struct {
	settings annotation.BackendTLS
	// variant is the part of BackendKey.Variant.
	variant string
	// shared has what does not depend on the name, and sum is that of the Secret.
	shared routing.BackendTLS
	sum    [sha256.Size]byte
}

// backendTLS describes TLS to the Backends of the object. It returns false where the settings cannot be carried out, and the
// path must answer 503.
func (c *compiler) backendTLS() (*endpointTLS, bool) {
	s := c.settings.TLS
	t := &endpointTLS{settings: s, variant: tlsVariant(s), shared: routing.BackendTLS{
		Verify: s.Verify, SendName: s.SendName, Depth: s.Depth,
		MinVersion: s.Min, MaxVersion: s.Max, CipherSuites: s.Ciphers.IDs(),
	}}
	if s.Secret != "" {
		m, name, fault := c.credential(s.Secret)
		switch {
		case m == nil:
		case s.Verify && m.RootsFault != "":
			fault = m.RootsFault
		case s.Verify && m.Roots == nil:
			fault = "proxy-ssl-verify is on, and the Secret has no " + secret.AuthoritiesKey
		case m.PairFault != "":
			fault = m.PairFault
		case m.Roots == nil && m.Pair == nil:
			fault = "the Secret has neither " + secret.AuthoritiesKey + " nor a key pair"
		}
		if m == nil || fault != "" {
			if fault != "" && !c.tlsReported {
				c.reject(c.annotationName("proxy-ssl-secret"), s.Secret, fault+"; every path of the object with a TLS Backend answers 503")
			}
			c.tlsReported = true
			return nil, false
		}
		t.shared.Secret, t.shared.Certificate, t.sum = name, m.Pair, m.Sum
		if s.Verify {
			t.shared.Roots = m.Roots
		}
	}
	return t, true
}

// named returns t for the Backends of a Service, whose name is the default of Name; t may be nil.
func (t *endpointTLS) named(serverName string) *routing.BackendTLS {
	if t == nil {
		return nil
	}
	s, named := t.settings, t.shared
	named.Name = cmp.Or(s.Name, serverName)
	named.Identity = sha256.Sum256(fmt.Appendf(nil, "%q %x", []any{s.Verify, named.Name, s.SendName, s.Depth, s.Min, s.Max, string(s.Ciphers), s.Secret}, t.sum))
	return &named
}
