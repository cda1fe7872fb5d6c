//go:build !race && !invariants

package server

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
)

// keeper uses all that a Filter may use without an allocation.
type keeper struct{ slot int }

func (keeper) Name() string { return "keeper" }

func (k keeper) Request(x *Exchange) Verdict {
	s := x.Slot(k.slot)
	s.Bytes = append(s.Bytes[:0], x.Host()...)
	s.N++
	x.SetTarget(x.Path())
	x.AddRequestField("X-A", "b")
	x.DropRequestField("X-B")
	if x.Client().IsUnspecified() || x.RequestField("X-C") != nil {
		return Respond
	}
	return Continue
}

func (k keeper) Response(x *Exchange, r *Response) Verdict {
	if x.Slot(k.slot).N == 1 && r.Field("X-D") == nil {
		r.Drop("X-E")
		r.Set("X-F", "g")
		r.AddLines(sameLine)
	}
	return Continue
}

func (keeper) Done(*Exchange, *Event) {}

var sameLine = []byte("X-H: i\r\n")

// TestFiltersNeedNotAllocate: the contract costs no allocation, for the Backend's responses and for answers of the gateway's
// own.
func TestFiltersNeedNotAllocate(t *testing.T) {
	trusting := func(c *config.Config) { c.Threads, c.Forwarded.TrustedCIDRs = 1, []string{"127.0.0.0/8"} }
	g := newGateway(t, trusting, Options{Filters: []Filter{
		keeper{0}, keeper{1}, &plug{name: "answer", request: func(x *Exchange) Verdict {
			if x.RequestField("X-Deny") != nil {
				return x.Respond(403, sameLine, sameLine)
			}
			return Continue
		}},
	}})
	g.serve(nil, thriftyBackend(t))
	for name, tt := range map[string]struct{ request, end string }{
		"GET":    {"GET /a/b HTTP/1.1\r\nHost: app.test\r\nX-B: 1\r\nX-Forwarded-For: 192.0.2.1, 203.0.113.7\r\n\r\n", "hello"},
		"answer": {"GET /a/b HTTP/1.1\r\nHost: app.test\r\nX-Deny: 1\r\n\r\n", "\r\n\r\nX-H: i\r\n"},
	} {
		t.Run(name, func(t *testing.T) { wantNoAllocations(t, g, []byte(tt.request), []byte(tt.end)) })
	}
}
