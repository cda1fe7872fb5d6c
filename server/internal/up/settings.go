package up

import (
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/upstream"
)

// Settings is the configuration that connections to Endpoints read. Immutable; a reload replaces it as a whole. Times are
// nanoseconds.
type Settings struct {
	limits   h1.Limits // of response heads
	upstream upstream.Options
	h2       h2.Config
}

// Many clients share a Session to an Endpoint. The window of its connection has room for the windows of all its streams, so
// that clients who do not read hold up no others. The product bounds the bytes that a Session holds for them.
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

// keepNone translates the configuration's 0, which keeps no idle connection, to the -1 of upstream.Options.
func keepNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}
