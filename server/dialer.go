package server

import (
	"crypto/tls"
	"net/netip"
	"syscall"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/upstream"
)

// dialer holds, per loop and Endpoint, the Endpoint's sockaddr, its TLS configuration and its open Sessions. It hangs on
// upstream.Endpoint.Attachment.
type dialer struct {
	sockaddr
	sessions []*upSession // that take requests
	lone     []*upSession // of requests with trailers, those that are free: see lone.go
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
		t = &dialer{sockaddr: newSockaddr(ep.Addr)}
		ep.Attachment = t
	}
	return t
}

// spareSessions is how many sessions with room for more an Endpoint has at most for the sake of fresh ones.
const spareSessions = 4

// session returns a session to ep that has room for another stream, or nil. fresh asks for one that is still being
// opened, because a request has just failed on one that was open; where there are sessions enough it is the newest. An
// Endpoint that refuses streams would else be given a session for each, and keep them all.
//
// hot: runs per request; no alloc, no lock.
func (t *dialer) session(fresh bool, b *routing.BackendTLS) *upSession {
	var newest *upSession
	spare := 0
	for _, s := range t.sessions {
		if !s.backend.Equal(b) || len(s.streams) >= min(s.h2.MaxStreams(), sessionStreams) {
			continue
		}
		if !fresh || s.connecting || s.shaking {
			return s
		}
		newest = s
		spare++
	}
	if spare < spareSessions {
		return nil
	}
	return newest
}

// sockaddr is an Endpoint's address as the kernel wants it, made once per Endpoint and loop.
type sockaddr struct {
	raw    [28]byte
	length uintptr
	family int
}

// connect opens a socket and begins to connect it. fd is negative when the kernel refuses at once.
func (s *sockaddr) connect() (fd int, connected bool) {
	fd, errno := s.socket()
	if errno != 0 {
		return -1, false
	}
	errno = s.begin(fd)
	if errno != 0 && errno != syscall.EINPROGRESS {
		loop.CloseFD(fd)
		return -1, false
	}
	return fd, errno == 0
}

func newSockaddr(a netip.AddrPort) (s sockaddr) {
	port := a.Port()
	s.raw[2], s.raw[3] = byte(port>>8), byte(port)
	if ip := a.Addr().Unmap(); ip.Is4() {
		s.family, s.length = syscall.AF_INET, syscall.SizeofSockaddrInet4
		b := ip.As4()
		copy(s.raw[4:], b[:])
	} else {
		s.family, s.length = syscall.AF_INET6, syscall.SizeofSockaddrInet6
		b := ip.As16()
		copy(s.raw[8:], b[:])
	}
	// sa_family is in the machine's order; all that Linux Go runs this on are little-endian here.
	s.raw[0], s.raw[1] = byte(s.family), 0
	return s
}
