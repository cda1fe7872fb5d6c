package up

import (
	"crypto/tls"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// dialer holds, per loop and Endpoint, the Endpoint's wire.Addr, its TLS configuration and its open Sessions. It hangs on
// upstream.Endpoint.Attachment.
type dialer struct {
	addr     wire.Addr
	sessions []*Session // that take requests
	lone     []*Session // of requests with trailers, those that are free: see lone.go
	// tls is for the last BackendTLS and protocol that were asked for: an Endpoint has one of each.
	tls      *tls.Config
	backend  *routing.BackendTLS
	protocol string
}

// sessionCache is how many TLS sessions are kept for each Endpoint and loop, to be resumed.
const sessionCache = 16

// config returns the configuration of handshakes with the Endpoint.
func (d *dialer) config(b *routing.BackendTLS, protocol string) *tls.Config {
	if d.tls == nil || !d.backend.Equal(b) || d.protocol != protocol {
		d.backend, d.protocol = b, protocol
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

// SpareSessions is how many sessions with room for more an Endpoint has at most for the sake of fresh ones.
const SpareSessions = 4

// session returns a session to ep that has room for another stream, or nil. fresh asks for one that is still being
// opened, because a request has just failed on one that was open; where there are sessions enough it is the newest. An
// Endpoint that refuses streams would else be given a session for each, and keep them all.
//
// hot: runs per request; no alloc, no lock.
func (t *dialer) session(fresh bool, b *routing.BackendTLS) *Session {
	var newest *Session
	spare := 0
	for _, s := range t.sessions {
		if !s.backend.Equal(b) || len(s.streams) >= min(s.H2.MaxStreams(), sessionStreams) {
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
