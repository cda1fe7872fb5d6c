package exchange

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/server/internal/clientcert"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// Client is who is at the other end of a downstream connection, or who the load balancer that is there says it is. Set by
// the connection before its first request; owned by its loop.
type Client struct {
	Remote   netip.AddrPort
	Listener *Listener
	Announced
	Quota       *Quota           // what its source may have under way; nil: not bounded by source
	Trusted     bool             // its forwarded headers are believed
	Suite       uint16           // of TLS 1.2 and below
	Certificate *clientcert.Cert // nil: the Host that its connection was opened for asks for no certificate
}

// Listener is what a request may know of the listening socket that its connection came in on. Immutable.
type Listener struct {
	TLS      bool   // TLS is spoken
	portLine []byte // of X-Forwarded-Port
}

// NewListener makes that of a socket that is bound to port.
func NewListener(tls bool, port int) Listener {
	return Listener{TLS: tls, portLine: h1.AppendUintField(nil, "X-Forwarded-Port", uint64(port))}
}

// Announced is what a PROXY protocol header says beside the client's address. The zero value is that of
// a connection without one, or whose sender speaks for itself.
type Announced struct {
	Port   uint16 // that the client connected to; 0 = the listener's
	Secure bool   // the client spoke TLS with the sender
}

// secure reports whether the client speaks TLS: with the gateway, or with the load balancer in front.
func (c *Client) secure() bool { return c.Listener.TLS || c.Announced.Secure }

// appendPort appends the X-Forwarded-Port line: the port that the client connected to.
//
// hot: runs per request; no alloc, no lock.
func (c *Client) appendPort(dst []byte) []byte {
	if c.Announced.Port == 0 {
		return append(dst, c.Listener.portLine...)
	}
	return h1.AppendUintField(dst, "X-Forwarded-Port", uint64(c.Announced.Port))
}

func (c *Client) Peer() *Client { return c }
