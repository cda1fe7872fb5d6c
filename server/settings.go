package server

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
	"github.com/sluice-gateway/sluice/upstream"
)

// settings is the configuration as the request path reads it. Immutable; a reload gives each worker
// another one. Times are nanoseconds.
type settings struct {
	requestLimits, responseLimits h1.Limits

	header, body, idle, connect, read, send, total, tunnel, halfClosed int64

	names      fieldrule.Names
	server     []byte // line of the Server field, nil for none
	unrouted   []byte // the same where there is no Route
	bodyLimit  int64  // <= 0: none
	splice     int64
	attempts   int
	capacity   capacity
	stalled    int // streams of one connection that may wait for their client's window
	trusted    []netip.Prefix
	announcers []netip.Prefix // that may send PROXY protocol headers
	proxy      int64          // time for one
	upstream   upstream.Options
	h2, h2up   h2.Config
	http2      bool
	handshake  int64
	tls        *tlsconfig.Server
	plain      *compiled // of a Route whose object has no Policy
}

// The windows of a Session to an Endpoint, which many clients share: the connection's has room for every
// stream's, so that clients who do not read hold up nobody else. What they make a Session hold is
// bounded by the product.
const (
	sessionStreams = 128
	streamWindow   = 64 << 10
)

// responseHeadLimit bounds a response head. Backends set large cookies; nginx takes 4 or 8 KiB by
// default, HAProxy 16.
const responseHeadLimit = 64 << 10

// ingressNginx is the controller that an IngressClass of ingress-nginx names.
const ingressNginx = "k8s.io/ingress-nginx"

func newSettings(c *config.Config, plain *compiled) *settings {
	s := &settings{
		plain:          plain,
		requestLimits:  h1.Limits{MaxHead: int(c.Limits.HeaderBytes), MaxFields: c.Limits.HeaderCount, MaxTarget: int(c.Limits.HeaderBytes)},
		responseLimits: h1.Limits{MaxHead: responseHeadLimit, MaxFields: c.Limits.ResponseHeaderCount},
		header:         int64(c.Timeouts.Header),
		body:           int64(c.Timeouts.Body),
		idle:           int64(c.Timeouts.Idle),
		connect:        int64(c.Timeouts.Connect),
		read:           int64(c.Timeouts.Read),
		send:           int64(c.Timeouts.Send),
		total:          int64(c.Timeouts.Request),
		tunnel:         int64(c.Timeouts.Tunnel),
		halfClosed:     int64(c.Timeouts.HalfClosed),
		names:          fieldrule.NamesOf(c.HTTP.HeaderNames),
		bodyLimit:      int64(c.Limits.BodyBytes),
		splice:         int64(c.HTTP.SpliceThreshold),
		attempts:       1 + c.Upstream.Retries,
		capacity:       newCapacity(c.Limits, descriptorLimit(), memoryLimit()),
		stalled:        c.HTTP2.StalledStreams,
		upstream: upstream.Options{
			MaxIdlePerEndpoint:  keepNone(c.Upstream.MaxIdlePerEndpoint),
			MaxConnsPerEndpoint: c.Upstream.MaxConnectionsPerEndpoint,
			IdleTimeout:         int64(c.Upstream.IdleTimeout),
		},
		http2:     c.HTTP2.Enabled,
		handshake: int64(c.TLS.HandshakeTimeout),
		proxy:     int64(c.ProxyProtocol.Timeout),
		h2: h2.Config{
			MaxStreams: uint32(c.HTTP2.MaxStreams),
			MaxHead:    int(c.Limits.HeaderBytes), MaxFields: c.Limits.HeaderCount, MaxTarget: int(c.Limits.HeaderBytes),
			ExtendedConnect: true,
		},
		h2up: h2.Config{
			MaxHead: responseHeadLimit, MaxFields: c.Limits.ResponseHeaderCount, StreamWindow: streamWindow, ConnWindow: sessionStreams * streamWindow,
		},
	}
	if v := c.HTTP.ServerHeader; v != "" {
		s.server = h1.AppendField(nil, "Server", v)
		if !slices.Contains(c.Kubernetes.Controllers, ingressNginx) {
			s.unrouted = s.server
		}
	}
	s.trusted, s.announcers = c.TrustedPrefixes(), c.ProxyProtocolPrefixes()
	return s
}

// keepNone translates the configuration's 0, which keeps no idle connection, to what
// upstream.Options says for that.
func keepNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func (s *settings) trusts(a netip.Addr) bool { return contains(s.trusted, a) }

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
