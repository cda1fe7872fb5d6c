package down

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// Settings is the configuration that clients' connections read. Immutable; a reload replaces it as a whole. Times are
// nanoseconds.
type Settings struct {
	limits     h1.Limits
	header     int64          // timeout of a request's head
	idle       int64          // timeout of a connection between requests
	handshake  int64          // timeout of TLS, from the first byte expected
	proxy      int64          // timeout of a PROXY protocol header
	announcers []netip.Prefix // peers that may send such a header
	Capacity   Capacity
	stalled    int // streams of one connection that may wait for their client: http2.stalled_streams
	http2      bool
	h2         h2.Config
	tls        *tlsconfig.Server
}

// NewSettings reads c, and the process's limits of descriptors and memory. tls serves the handshakes.
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
	return slices.ContainsFunc(s.announcers, func(p netip.Prefix) bool { return p.Contains(a) })
}
