package exchange

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
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
	// The field in which such peers name their clients, in lower case and by its ID; nil: X-Forwarded-For.
	clientField []byte
	clientID    message.FieldID
	addressOnly bool    // they are believed about the addresses of their clients alone
	fullList    bool    // X-Forwarded-For is extended for objects that were taken over, too
	originalURI bool    // Backends of these are told X-Original-URI
	KeepAlive   bool    // connections of HTTP/1.1 are kept
	plain       *Policy // of a Route whose object has no Policy
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

		addressOnly: c.Forwarded.AddressOnly,
		fullList:    c.Forwarded.FullList,
		originalURI: c.Forwarded.OriginalURI,
		KeepAlive:   c.HTTP.KeepAlive,
	}
	if name := []byte(strings.ToLower(c.Forwarded.ClientHeader)); message.LookupField(name) != message.FieldXForwardedFor {
		s.clientField, s.clientID = name, message.LookupField(name)
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

// namesClient reports whether a field is the one in which peers that are believed name their clients.
//
// hot: runs per field; no alloc, no lock.
func (s *Settings) namesClient(f *message.Field, head []byte) bool {
	switch {
	case s.clientField == nil:
		return f.ID == message.FieldXForwardedFor
	case s.clientID != message.FieldOther:
		return f.ID == s.clientID
	}
	return f.ID == message.FieldOther && message.EqualFold(f.Name.Of(head), s.clientField)
}

// Trusts reports whether the peer at a is believed about the clients behind it.
func (s *Settings) Trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.Trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}
