package server

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// settings is the configuration as the request path reads it. Immutable; a reload gives each worker
// another one. Times are nanoseconds.
type settings struct {
	requestLimits, responseLimits h1.Limits

	header, body, idle, connect, read, send, total int64

	bodyLimit   int64 // <= 0: none
	splice      int64
	attempts    int
	connections int64
	trusted     []netip.Prefix
	upstream    upstream.Options
	plain       *attached // for a Route that nobody attached anything to
}

// responseHeadLimit bounds a response head. Backends set large cookies; nginx takes 4 or 8 KiB by
// default, HAProxy 16.
const responseHeadLimit = 64 << 10

func newSettings(c *config.Config) *settings {
	s := &settings{
		requestLimits:  h1.Limits{MaxHead: int(c.Limits.HeaderBytes), MaxFields: c.Limits.HeaderCount, MaxTarget: int(c.Limits.HeaderBytes)},
		responseLimits: h1.Limits{MaxHead: responseHeadLimit},
		header:         int64(c.Timeouts.Header),
		body:           int64(c.Timeouts.Body),
		idle:           int64(c.Timeouts.Idle),
		connect:        int64(c.Timeouts.Connect),
		read:           int64(c.Timeouts.Read),
		send:           int64(c.Timeouts.Send),
		total:          int64(c.Timeouts.Request),
		bodyLimit:      int64(c.Limits.BodyBytes),
		splice:         int64(c.HTTP.SpliceThreshold),
		attempts:       1 + c.Upstream.Retries,
		connections:    int64(c.Limits.Connections),
		upstream: upstream.Options{
			MaxIdlePerEndpoint:  keepNone(c.Upstream.MaxIdlePerEndpoint),
			MaxConnsPerEndpoint: c.Upstream.MaxConnectionsPerEndpoint,
			IdleTimeout:         int64(c.Upstream.IdleTimeout),
		},
		plain: &attached{chain: standardChain},
	}
	s.trusted = c.TrustedPrefixes()
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

func (s *settings) trusts(a netip.Addr) bool {
	for _, p := range s.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// attached is what the data plane hangs on a Route before it is published: its compiled onion, its
// counters, and its Policy where that differs from the settings (0 = as the settings say).
type attached struct {
	chain                      *chain
	series                     *stats.Series
	bodyLimit                  int64
	connect, read, send, total int64
	upstreamHost               []byte
}

// standardChain is what every Route has, one for all of them.
var standardChain = compileChain(forwarded{})

func (s *Server) attach(r *routing.Route) *attached {
	a := &attached{chain: s.chain, series: s.registry.Attach(r)}
	if r.Source == nil || r.Source.Policy == nil {
		return a
	}
	p := r.Source.Policy
	a.bodyLimit = p.MaxBodyBytes
	a.connect, a.read, a.send, a.total = p.ConnectTimeout, p.ReadTimeout, p.SendTimeout, p.RequestTimeout
	if p.UpstreamHost != "" {
		a.upstreamHost = []byte(p.UpstreamHost)
	}
	return a
}
