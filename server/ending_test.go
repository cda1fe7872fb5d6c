package server

import (
	"bufio"
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// leaving is how one of two parties ends. Two of them, one by each party, are an order.
type leaving struct {
	name string
	do   func(p *party)
	all  bool // nothing is left to do for the other party
}

var leavings = []leaving{
	{"ends", (*party).fin, false},
	{"breaks off", (*party).rst, true},
	{"closes with something unread", func(p *party) {
		if p.h2 == nil && p.owed > 0 {
			p.unread()
		}
		p.leave()
	}, true},
	{"closes", func(p *party) {
		if p.h2 == nil {
			_, _ = p.r.Discard(p.owed)
		}
		p.leave()
	}, false},
}

// greeting is what each party has sent the other, who has not read it.
const greeting = "greeting"

// greet sends what the other does not read.
func (p *party) greet(other *party) {
	if !p.silent {
		p.send([]byte(greeting))
		other.owed = len(greeting)
	}
}

// holding is what the gateway has open for others: descriptors, connections, streams and exchanges.
type holding struct{ downs, exchanges, ups, streams int }

func (g *gateway) holding() (h holding) {
	for _, w := range g.workers {
		done := make(chan struct{})
		w.Post(func() {
			defer close(done)
			h.downs += int(w.conns.Load())
			h.exchanges += int(w.shard.Counters.ExchangesStarted - w.shard.Counters.ExchangesEnded)
			w.upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { h.ups += int(s.Conns - s.Idle) })
			h.ups -= len(w.sessions)
			for _, s := range w.sessions {
				h.streams += len(s.streams)
			}
		})
		<-done
	}
	return h
}

// filesHeld is how many the process has open, less the pipes and the sessions that wait for the next to use them.
func (g *gateway) filesHeld(t testing.TB) int {
	n := openFiles(t)
	for _, w := range g.workers {
		done := make(chan struct{})
		w.Post(func() { n -= 2*len(w.pipes) + 2*len(w.sessions); close(done) })
		<-done
	}
	return n
}

// TestEndingsGiveAllBack: in whatever order and way a client and an Endpoint end, what the gateway had open for them
// is closed soon. A break of one of them closes the other's connection too, though that one does nothing.
func TestEndingsGiveAllBack(t *testing.T) {
	hello := helloFor(t, "pass.test")
	type scenery struct {
		name     string
		protocol routing.Protocol
		open     func(t testing.TB, g *gateway, e *endpoints) (c, p *party)
	}
	var all []scenery
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range partyKinds {
			name := k.name + " to " + protocol.String()
			all = append(all, scenery{"tunnel " + name, protocol, func(t testing.TB, g *gateway, e *endpoints) (c, p *party) {
				c = g.party(t, k, 0)
				c.ask("CONNECT")
				p = e.next(t)
				p.accept(true, -1)
				c.heard()
				return c, p
			}})
			all = append(all, scenery{"answer " + name, protocol, func(t testing.TB, g *gateway, e *endpoints) (c, p *party) {
				c = g.party(t, k, 0)
				c.ask("GET")
				c.silent = true // it has said all
				p = e.next(t)
				p.accept(false, stillLength)
				c.heard()
				return c, p
			}})
			all = append(all, scenery{"body " + name, protocol, func(t testing.TB, g *gateway, e *endpoints) (c, p *party) {
				c = g.party(t, k, 0)
				c.ask("POST", "content-length", fmt.Sprint(stillLength))
				p = e.next(t)
				p.accept(false, stillLength)
				c.heard()
				return c, p
			}})
		}
	}
	all = append(all, scenery{"passed on", routing.HTTP, func(t testing.TB, g *gateway, e *endpoints) (c, p *party) {
		w := g.secureWire()
		c = &party{t: t, name: "client", tcp: w.TCPConn, conn: w.TCPConn, r: bufio.NewReader(w.TCPConn)}
		c.send([]byte(hello))
		return c, e.next(t)
	}})
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			passed := s.name == "passed on"
			e := newEndpoints(t, s.protocol, map[bool]string{true: hello}[passed])
			g := newGateway(t, func(c *config.Config) { c.HTTP.SpliceThreshold = 64 << 10 }, Options{})
			if passed {
				g.servePassthrough("", e.addr)
			} else {
				g.serveProtocol(s.protocol, e.addr)
			}
			for _, first := range leavings {
				for _, second := range leavings {
					for _, client := range []bool{true, false} {
						files := g.filesHeld(t)
						c, p := s.open(t, g, e)
						who := "the Endpoint"
						one, other := p, c
						if client {
							who, one, other = "the client", c, p
						}
						what := fmt.Sprintf("%s %s, then the other %s", who, first.name, second.name)
						one.greet(other)
						other.greet(one)
						first.do(one)
						if first.all {
							g.wantGone(t, what+": after the first", c)
						} else if first.name == "closes" && !other.silent {
							other.send([]byte("late")) // to which the answer is a reset
						}
						g.settle()
						second.do(other)
						if c.h2 != nil {
							c.leave()
						}
						g.wantGone(t, what, nil)
						c.leave()
						p.leave()
						until(t, what+": the descriptors to be given back", func() bool { return g.filesHeld(t) <= files })
					}
				}
			}
			if n := g.counted(func(c *stats.Counters) uint64 { return c.ExchangesStarted - c.ExchangesEnded }); n != 0 {
				t.Errorf("%d exchanges have not ended", n)
			}
		})
	}
}

// wantGone waits until the gateway holds nothing but the HTTP/2 connection of a client c that lives, if any.
func (g *gateway) wantGone(t testing.TB, what string, c *party) {
	t.Helper()
	want := holding{}
	if c != nil && c.h2 != nil {
		want.downs = 1
	}
	until(t, what+": everything to be closed", func() bool {
		h := g.holding()
		h.downs = max(0, h.downs-want.downs)
		return h == holding{}
	})
}
