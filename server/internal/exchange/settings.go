package exchange

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// Settings is the configuration as Exchanges read it, and both their sides. Immutable; a reload replaces it as a whole. Times
// are nanoseconds.
type Settings struct {
	body, Connect, read, Send, total, Tunnel, halfClosed int64

	Names     fieldrule.Names
	server    []byte // line of the Server field, nil for none
	unrouted  []byte // the same where there is no Route
	bodyLimit int64  // <= 0: none
	Splice    int64  // from how many bytes on a body moves by splice(2); <= 0: none does
	Attempts  int
	Requests  int64 // that one source may have in flight
	Trusted   []netip.Prefix
	plain     *Policy // of a Route whose object has no Policy
}

// ResponseHeadLimit bounds a response head. Backends set large cookies; nginx takes 4 or 8 KiB by
// default, HAProxy 16.
const ResponseHeadLimit = 64 << 10

// IngressNginx is the controller that an IngressClass of ingress-nginx names.
const IngressNginx = "k8s.io/ingress-nginx"

// NewSettings reads c. plain is for Routes whose object has no Policy, and requests how many one source may have in flight.
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
	if v := c.HTTP.ServerHeader; v != "" {
		s.server = h1.AppendField(nil, "Server", v)
		if !slices.Contains(c.Kubernetes.Controllers, IngressNginx) {
			s.unrouted = s.server
		}
	}
	return s
}

// Trusts reports whether what a says of who is behind it is believed.
func (s *Settings) Trusts(a netip.Addr) bool {
	for _, p := range s.Trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
