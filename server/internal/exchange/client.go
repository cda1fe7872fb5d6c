package exchange

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/server/internal/clientcert"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// Client describes the peer of a client's connection, or the client that a PROXY protocol header of the peer names. Set by
// the connection before its first request; owned by the connection's loop.
type Client struct {
	Remote   netip.AddrPort
	Listener *Listener
	Announced
	Quota       *Quota           // bounds the requests of its Source; nil: no Source
	Trusted     bool             // its X-Forwarded-* fields are believed: forwarded.trusted_cidrs
	Suite       uint16           // the cipher suite of TLS 1.2 and below; 0 otherwise
	Certificate *clientcert.Cert // nil: the Host that the connection was opened for asks for no certificate
}

// Listener describes the listening socket of a client's connection to its requests. Immutable.
type Listener struct {
	TLS      bool   // TLS is spoken
	portLine []byte // the line of X-Forwarded-Port
}

// NewListener describes a socket that is bound to port.
func NewListener(tls bool, port int) Listener {
	return Listener{TLS: tls, portLine: h1.AppendUintField(nil, "X-Forwarded-Port", uint64(port))}
}

// Announced holds the contents of a PROXY protocol header beside the client's address. It is zero on a connection without a
// header, or whose sender speaks for itself (LOCAL).
type Announced struct {
	Port   uint16 // the port that the client connected to; 0: the Listener's
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

// Peer returns c: the part of Down that a connection gets by embedding its Client.
func (c *Client) Peer() *Client { return c }
