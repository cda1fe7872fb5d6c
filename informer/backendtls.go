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

// backendTLS describes TLS to the Backends of a Service, whose name is the default of Name. It returns
// false where the settings cannot be carried out, and the path must answer 503.
func (c *compiler) backendTLS(serverName string) (*routing.BackendTLS, bool) {
	s := c.settings.TLS
	t := &routing.BackendTLS{
		Verify: s.Verify, Name: cmp.Or(s.Name, serverName), SendName: s.SendName, Depth: s.Depth,
		MinVersion: s.Min, MaxVersion: s.Max, CipherSuites: s.Ciphers.IDs(),
	}
	var sum [sha256.Size]byte
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
		t.Secret, t.Certificate, sum = name, m.Pair, m.Sum
		if s.Verify {
			t.Roots = m.Roots
		}
	}
	t.Identity = sha256.Sum256(fmt.Appendf(nil, "%q %x", []any{s.Verify, t.Name, s.SendName, t.Depth, s.Min, s.Max, string(s.Ciphers), s.Secret}, sum))
	return t, true
}
