package exchange

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// Settings is the configuration that Exchanges and both their sides read. Immutable; a reload replaces it as a whole. Times
// are nanoseconds.
type Settings struct {
	body, Connect, read, Send, total, Tunnel, halfClosed int64 // timeouts, named as in config.Timeouts

	Names    fieldrule.Names
	server   []byte // line of the Server field; nil: none
	unrouted []byte // the same for an answer to a request without a Route
	// unroutedTransport is the line of Strict-Transport-Security for that answer over TLS; nil: none.
	unroutedTransport []byte
	bodyLimit         int64          // bytes; <= 0: none
	Splice            int64          // bodies of so many bytes or more move by splice(2); <= 0: none do
	Attempts          int            // of one request, the first included
	Requests          int64          // that one Source may have in flight
	Trusted           []netip.Prefix // peers that are believed about their clients
	plain             *Policy        // of a Route whose object has no Policy
}

// ResponseHeadLimit bounds a response head, bytes. Backends set large cookies; nginx takes 4 or 8 KiB by default, HAProxy
// 16.
const ResponseHeadLimit = 64 << 10

// IngressNginx is the controller that an IngressClass of ingress-nginx names. A gateway that serves its class sends no
// Server field with answers to requests without a Route, and Strict-Transport-Security with them over TLS. Exported for tests alone.
const IngressNginx = "k8s.io/ingress-nginx"

// NewSettings reads c. plain is the Policy of Routes whose object has none; requests is how many one Source may have in
// flight.
func NewSettings(c *config.Config, plain *Policy, requests int64) Settings {
	s := Settings{
		plain:      plain,
		body:       int64(c.Timeouts.Body),
		Connect:    int64(c.Timeouts.Connect),
		read:       int64(c.Timeouts.Read),
		Send:       int64(c.Timeouts.Send),
		total:      int64(c.Timeouts.Request),
		Tunnel:     int64(c.Timeouts.Tunnel),
		halfClosed: int64(c.Timeouts.HalfClosed),
		Names:      fieldrule.NamesOf(c.HTTP.HeaderNames),
		bodyLimit:  int64(c.Limits.BodyBytes),
		Splice:     int64(c.HTTP.SpliceThreshold),
		Attempts:   1 + c.Upstream.Retries,
		Requests:   requests,
		Trusted:    c.TrustedPrefixes(),
	}
	if slices.Contains(c.Kubernetes.Controllers, IngressNginx) {
		s.unroutedTransport = takenOverTransport
	}
	if v := c.HTTP.ServerHeader; v != "" {
		s.server = h1.AppendField(nil, "Server", v)
		if s.unroutedTransport == nil {
			s.unrouted = s.server
		}
	}
	return s
}

// Trusts reports whether the peer at a is believed about the clients behind it.
func (s *Settings) Trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.Trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}
