package up

import (
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/upstream"
)

// Settings is the configuration as connections to Endpoints read it. Immutable; a reload replaces it as a whole. Times are
// nanoseconds.
type Settings struct {
	limits   h1.Limits // of response heads
	upstream upstream.Options
	h2       h2.Config
}

// The windows of a Session to an Endpoint, which many clients share: the connection's has room for every
// stream's, so that clients who do not read hold up nobody else. What they make a Session hold is
// bounded by the product.
const (
	sessionStreams = 128
	streamWindow   = 64 << 10
)

// NewSettings reads c.
func NewSettings(c *config.Config) Settings {
	return Settings{
		limits: h1.Limits{MaxHead: exchange.ResponseHeadLimit, MaxFields: c.Limits.ResponseHeaderCount},
		upstream: upstream.Options{
			MaxIdlePerEndpoint:  keepNone(c.Upstream.MaxIdlePerEndpoint),
			MaxConnsPerEndpoint: c.Upstream.MaxConnectionsPerEndpoint,
			IdleTimeout:         int64(c.Upstream.IdleTimeout),
		},
		h2: h2.Config{
			MaxHead: exchange.ResponseHeadLimit, MaxFields: c.Limits.ResponseHeaderCount, StreamWindow: streamWindow, ConnWindow: sessionStreams * streamWindow,
		},
	}
}

// keepNone translates the configuration's 0, which keeps no idle connection, to what
// upstream.Options says for that.
func keepNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}
