package server

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// TestClientLeavesALongWait: the request of a client that closes while no answer comes is cancelled, at the Endpoint too: of
// a half-closed client after timeouts.half_closed, of any other at once.
func TestClientLeavesALongWait(t *testing.T) {
	t.Parallel()
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range servertest.Kinds {
			t.Run(k.Name+" to "+protocol.String(), func(t *testing.T) {
				t.Parallel()
				for _, begun := range []bool{false, true} {
					for _, leave := range leavings {
						after := config.Duration(time.Millisecond)
						if leave.name == "breaks off" {
							after = config.Duration(long)
						}
						e := servertest.NewEndpoints(t, protocol, "")
						g := newGateway(t, func(c *config.Config) {
							c.Timeouts.Read = config.Duration(long)
							c.Timeouts.HalfClosed = after
						}, Options{})
						g.serveProtocol(protocol, e.Addr)
						c := g.party(t, k, 0)
						c.Ask("GET")
						c.Silent = true
						p := e.Next(t)
						if begun {
							p.Accept(false, stillLength)
							c.Heard()
							p.Greet(c)
						}
						if c.H2 != nil && !leave.all {
							continue // a stream has ended with its request
						}
						leave.do(c)
						if _, end := p.Rest(); end == "" {
							t.Errorf("client %s: the Endpoint was told nothing", leave.name)
						}
						servertest.Until(t, "the exchange to be counted", func() bool {
							return g.counted(func(c *stats.Counters) uint64 { return c.ExchangesEnded }) == 1
						})
					}
				}
			})
		}
	}
}

// TestHalfClosedClientIsAnswered: a half-closed client gets the answers that come in time, to all requests that it has sent,
// and any that comes piece by piece.
func TestHalfClosedClientIsAnswered(t *testing.T) {
	t.Parallel()
	e := servertest.NewEndpoints(t, routing.HTTP, "")
	g := newGateway(t, func(c *config.Config) { c.Timeouts.HalfClosed = config.Duration(long) }, Options{})
	g.serveProtocol(routing.HTTP, e.Addr)
	c := g.party(t, servertest.Kinds[0], 0)
	c.Ask("GET")
	c.Ask("GET", "connection", "close")
	c.Fin()
	for range 2 {
		p := e.Next(t)
		g.settle()
		p.Send([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"))
		for range 4 {
			p.Send([]byte("x"))
			g.settle()
		}
	}
	text, end := c.Rest()
	if end != "end" {
		t.Errorf("the %s", end)
	}
	w := servertest.NewAnswer(string(text), "GET")
	if w.Text != "xxxx" || len(text) < 2*len("HTTP/1.1 200 OK\r\n\r\nxxxx") {
		t.Errorf("got %q", text)
	}
}

// TestHalfClosedIsNoFault: a client that leaves is no fault of the Endpoint that it waited for; the Endpoint's silence
// before a timeout of the Endpoint's own is.
func TestHalfClosedIsNoFault(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		read, half time.Duration
		want       string
	}{
		{"the client's", long, time.Millisecond, ""},
		{"the Endpoint's", time.Millisecond, long, "HTTP/1.1 504 Gateway Timeout\r\n"},
		{"the Endpoint's, without a bound", time.Millisecond, 0, "HTTP/1.1 504 Gateway Timeout\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := servertest.NewEndpoints(t, routing.HTTP, "")
			g := newGateway(t, func(c *config.Config) {
				c.Timeouts.Read, c.Timeouts.HalfClosed = config.Duration(row.read), config.Duration(row.half)
			}, Options{})
			g.serveProtocol(routing.HTTP, e.Addr)
			c := g.party(t, servertest.Kinds[0], 0)
			c.Ask("GET")
			c.Fin()
			text, end := c.Rest()
			if end != "end" || len(text) < len(row.want) || string(text[:len(row.want)]) != row.want || row.want == "" && len(text) > 0 {
				t.Errorf("got %q and the %s, want %q", text, end, row.want)
			}
		})
	}
}
