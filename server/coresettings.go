package server

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// settings is the configuration as Exchanges read it, and both their sides. Immutable; a reload replaces it as a whole. Times
// are nanoseconds.
type settings struct {
	body, connect, read, send, total, tunnel, halfClosed int64

	names     fieldrule.Names
	server    []byte // line of the Server field, nil for none
	unrouted  []byte // the same where there is no Route
	bodyLimit int64  // <= 0: none
	splice    int64  // from how many bytes on a body moves by splice(2); <= 0: none does
	attempts  int
	requests  int64 // that one source may have in flight
	trusted   []netip.Prefix
	plain     *compiled // of a Route whose object has no Policy
}

// responseHeadLimit bounds a response head. Backends set large cookies; nginx takes 4 or 8 KiB by
// default, HAProxy 16.
const responseHeadLimit = 64 << 10

// ingressNginx is the controller that an IngressClass of ingress-nginx names.
const ingressNginx = "k8s.io/ingress-nginx"

// newSettings reads c. plain is for Routes whose object has no Policy, and requests how many one source may have in flight.
func newSettings(c *config.Config, plain *compiled, requests int64) settings {
	s := settings{
		plain:      plain,
		body:       int64(c.Timeouts.Body),
		connect:    int64(c.Timeouts.Connect),
		read:       int64(c.Timeouts.Read),
		send:       int64(c.Timeouts.Send),
		total:      int64(c.Timeouts.Request),
		tunnel:     int64(c.Timeouts.Tunnel),
		halfClosed: int64(c.Timeouts.HalfClosed),
		names:      fieldrule.NamesOf(c.HTTP.HeaderNames),
		bodyLimit:  int64(c.Limits.BodyBytes),
		splice:     int64(c.HTTP.SpliceThreshold),
		attempts:   1 + c.Upstream.Retries,
		requests:   requests,
		trusted:    c.TrustedPrefixes(),
	}
	if v := c.HTTP.ServerHeader; v != "" {
		s.server = h1.AppendField(nil, "Server", v)
		if !slices.Contains(c.Kubernetes.Controllers, ingressNginx) {
			s.unrouted = s.server
		}
	}
	return s
}

// trusts reports whether what a says of who is behind it is believed.
func (s *settings) trusts(a netip.Addr) bool {
	for _, p := range s.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
