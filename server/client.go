package server

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/server/internal/clientcert"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// client is who is at the other end of a downstream connection, or who the load balancer that is there says it is. Set by
// the connection before its first request; owned by its loop.
type client struct {
	remote   netip.AddrPort
	listener *inlet
	announced
	quota       *quota           // what its source may have under way; nil: not bounded by source
	trusted     bool             // its forwarded headers are believed
	suite       uint16           // of TLS 1.2 and below
	certificate *clientcert.Cert // nil: the Host that its connection was opened for asks for no certificate
}

// inlet is what a request may know of the listening socket that its connection came in on. Immutable.
type inlet struct {
	tls      bool   // TLS is spoken
	portLine []byte // of X-Forwarded-Port
}

// newInlet makes that of a socket that is bound to port.
func newInlet(tls bool, port int) inlet {
	return inlet{tls: tls, portLine: h1.AppendUintField(nil, "X-Forwarded-Port", uint64(port))}
}

// announced is what a PROXY protocol header says beside the client's address. The zero value is that of
// a connection without one, or whose sender speaks for itself.
type announced struct {
	port   uint16 // that the client connected to; 0 = the listener's
	secure bool   // the client spoke TLS with the sender
}

// secure reports whether the client speaks TLS: with the gateway, or with the load balancer in front.
func (c *client) secure() bool { return c.listener.tls || c.announced.secure }

// appendPort appends the X-Forwarded-Port line: the port that the client connected to.
//
// hot: runs per request; no alloc, no lock.
func (c *client) appendPort(dst []byte) []byte {
	if c.announced.port == 0 {
		return append(dst, c.listener.portLine...)
	}
	return h1.AppendUintField(dst, "X-Forwarded-Port", uint64(c.announced.port))
}

func (c *client) peer() *client { return c }
