package down

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// Settings is the configuration as clients' connections read it. Immutable; a reload replaces it as a whole. Times are
// nanoseconds.
type Settings struct {
	limits     h1.Limits
	header     int64 // time for a request's head
	idle       int64
	handshake  int64
	proxy      int64          // time for a PROXY protocol header
	announcers []netip.Prefix // that may send one
	Capacity   Capacity
	stalled    int // streams of one connection that may wait for their client's window
	http2      bool
	h2         h2.Config
	tls        *tlsconfig.Server
}

// NewSettings reads c. tls is what handshakes run on.
func NewSettings(c *config.Config, tls *tlsconfig.Server) Settings {
	return Settings{
		limits:     h1.Limits{MaxHead: int(c.Limits.HeaderBytes), MaxFields: c.Limits.HeaderCount, MaxTarget: int(c.Limits.HeaderBytes)},
		header:     int64(c.Timeouts.Header),
		idle:       int64(c.Timeouts.Idle),
		handshake:  int64(c.TLS.HandshakeTimeout),
		proxy:      int64(c.ProxyProtocol.Timeout),
		announcers: c.ProxyProtocolPrefixes(),
		Capacity:   newCapacity(c.Limits, descriptorLimit(), memoryLimit()),
		stalled:    c.HTTP2.StalledStreams,
		http2:      c.HTTP2.Enabled,
		h2: h2.Config{
			MaxStreams: uint32(c.HTTP2.MaxStreams),
			MaxHead:    int(c.Limits.HeaderBytes), MaxFields: c.Limits.HeaderCount, MaxTarget: int(c.Limits.HeaderBytes),
			ExtendedConnect: true,
		},
		tls: tls,
	}
}

// announces reports whether a may send PROXY protocol headers.
func (s *Settings) announces(a netip.Addr) bool {
	for _, p := range s.announcers {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
