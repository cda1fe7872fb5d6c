package up

import (
	"crypto/tls"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// dialer holds, per loop and Endpoint, the Endpoint's wire.Addr, its TLS configuration and its open Sessions. It is the
// Attachment of the upstream.Endpoint.
type dialer struct {
	addr     wire.Addr
	sessions []*Session // take requests
	lone     []*Session // lone Sessions without a request: see lone.go
	// tls is for the last BackendTLS and protocol that were dialled with: an Endpoint has one of each.
	tls        *tls.Config
	backendTLS *routing.BackendTLS
	protocol   string
}

// sessionCache is how many TLS sessions are kept for resumption, for each Endpoint and loop.
const sessionCache = 16

// config returns the TLS configuration of connections to the Endpoint on which protocol is spoken, as ALPN names it.
func (d *dialer) config(b *routing.BackendTLS, protocol string) *tls.Config {
	if d.tls == nil || !d.backendTLS.Equal(b) || d.protocol != protocol {
		d.backendTLS, d.protocol = b, protocol
		d.tls = b.Config(protocol)
		d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(sessionCache)
	}
	return d.tls
}

// dialerOf returns the dialer of ep, made at first use.
func dialerOf(ep *upstream.Endpoint) *dialer {
	t, ok := ep.Attachment.(*dialer)
	if !ok {
		t = &dialer{addr: wire.NewAddr(ep.Addr)}
		ep.Attachment = t
	}
	return t
}

// SpareSessions bounds the Sessions with room for more streams that an Endpoint has because requests asked for a fresh one.
// Exported for tests alone.
const SpareSessions = 4

// session returns a Session to the Endpoint that has room for another stream; nil: one has to be opened. fresh asks for a
// Session that is still being opened, because a request has just failed on an open one; where SpareSessions are open it gets
// the newest. An Endpoint that refuses streams would otherwise be sent a connection for each of them, all of which stay
// open.
//
// hot: runs per request; no alloc, no lock.
func (t *dialer) session(fresh bool, b *routing.BackendTLS) *Session {
	var newest *Session
	spare := 0
	for _, s := range t.sessions {
		if !s.backendTLS.Equal(b) || len(s.streams) >= min(s.H2.MaxStreams(), sessionStreams) {
			continue
		}
		if !fresh || s.Connecting || s.Shaking {
			return s
		}
		newest = s
		spare++
	}
	if spare < SpareSessions {
		return nil
	}
	return newest
}
