package server

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// dotted is a ClientHello for name with a trailing dot, which Go's client would leave out.
func dotted(t *testing.T, name string) string {
	t.Helper()
	hello := servertest.ClientHello(t, name+"x")
	with := strings.Replace(hello, name+"x", name+".", 1)
	if with == hello {
		t.Fatalf("%q is not in the ClientHello", name)
	}
	return with
}

// TestServerNameWithDot: a server name with a trailing dot finds the Host that passes TLS through, whose Backend decides
// about it. Where TLS ends here it is refused: RFC 6066, section 3, has the name "without a trailing dot", crypto/tls
// answers decode_error, and a name mended on the way would be another handshake than the client's. It must not reach another
// Host.
func TestServerNameWithDot(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	hello := dotted(t, "pass.test")
	g.servePassthrough("", servertest.BehindHello(t, hello, servertest.Echo))
	c := g.secureWire()
	c.Send("%s", hello+"ping")
	c.Exactly("ping")

	c = g.secureWire()
	c.Send("%s", dotted(t, "other.test"))
	c.Exactly("\x15\x03\x01\x00\x02\x02\x32")
	c.WantClosed()
}
