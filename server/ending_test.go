package server

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// leaving is how one of two parties ends. Two of them, one by each party, are an order.
type leaving struct {
	name string
	do   func(p *servertest.Party)
	all  bool // nothing is left to do for the other party
}

var leavings = []leaving{
	{"ends", (*servertest.Party).Fin, false},
	{"breaks off", (*servertest.Party).Reset, true},
	{"closes with something unread", func(p *servertest.Party) {
		if p.H2 == nil && p.Owed > 0 {
			p.Unread()
		}
		p.Leave()
	}, true},
	{"closes", func(p *servertest.Party) {
		if p.H2 == nil {
			_, _ = p.R.Discard(p.Owed)
		}
		p.Leave()
	}, false},
}

// TestEndingsGiveAllBack: in whatever order and way a client and an Endpoint end, what the gateway had open for them is
// closed soon. A break of one of them closes the other's connection too, though that one does nothing. Each order is played
// by all pairs at once, of which each has a gateway.
func TestEndingsGiveAllBack(t *testing.T) {
	hello := servertest.ClientHello(t, "pass.test")
	type scenery struct {
		name     string
		protocol routing.Protocol
		open     func(t testing.TB, g *gateway, e *servertest.Endpoints) (c, p *servertest.Party)
	}
	var all []scenery
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range servertest.Kinds {
			name := k.Name + " to " + protocol.String()
			all = append(all, scenery{"tunnel " + name, protocol, func(t testing.TB, g *gateway, e *servertest.Endpoints) (c, p *servertest.Party) {
				c = g.party(t, k, 0)
				c.Ask("CONNECT")
				p = e.Next(t)
				p.Accept(true, -1)
				c.Heard()
				return c, p
			}})
			all = append(all, scenery{"answer " + name, protocol, func(t testing.TB, g *gateway, e *servertest.Endpoints) (c, p *servertest.Party) {
				c = g.party(t, k, 0)
				c.Ask("GET")
				c.Silent = true // it has sent all
				p = e.Next(t)
				p.Accept(false, stillLength)
				c.Heard()
				return c, p
			}})
			all = append(all, scenery{"body " + name, protocol, func(t testing.TB, g *gateway, e *servertest.Endpoints) (c, p *servertest.Party) {
				c = g.party(t, k, 0)
				c.Ask("POST", "content-length", fmt.Sprint(stillLength))
				p = e.Next(t)
				p.Accept(false, stillLength)
				c.Heard()
				return c, p
			}})
		}
	}
	all = append(all, scenery{"passed on", routing.HTTP, func(t testing.TB, g *gateway, e *servertest.Endpoints) (c, p *servertest.Party) {
		w := g.secureWire()
		c = servertest.NewParty(t, "client", w)
		c.Send([]byte(hello))
		return c, e.Next(t)
	}})
	gateways := make([]*gateway, len(all))
	endpoints := make([]*servertest.Endpoints, len(all))
	for i, s := range all {
		passed := s.name == "passed on"
		e := servertest.NewEndpoints(t, s.protocol, map[bool]string{true: hello}[passed])
		g := newGateway(t, func(c *config.Config) { c.HTTP.SpliceThreshold = 64 << 10 }, Options{})
		if passed {
			g.servePassthrough("", e.Addr)
		} else {
			g.serveProtocol(s.protocol, e.Addr)
		}
		gateways[i], endpoints[i] = g, e
	}
	// filesHeld is how many the process has open, less what waits for its next use.
	filesHeld := func() int {
		n := servertest.OpenFiles(t)
		for _, g := range gateways {
			n -= g.filesKept()
		}
		return n
	}
	for i, first := range leavings {
		for j, second := range leavings {
			for k, client := range []bool{true, false} {
				if (i+j+k)%servertest.Times(1, 3) != 0 {
					continue
				}
				who := "the Endpoint"
				if client {
					who = "the client"
				}
				order := fmt.Sprintf("%s %s, then the other %s", who, first.name, second.name)
				files := filesHeld()
				var ends sync.WaitGroup
				for n, s := range all {
					if testing.Short() && (i+j+n)%len(leavings) != 0 {
						continue
					}
					ends.Go(func() {
						g, what := gateways[n], s.name+": "+order
						c, p := s.open(t, g, endpoints[n])
						one, other := p, c
						if client {
							one, other = c, p
						}
						one.Greet(other)
						other.Greet(one)
						first.do(one)
						if first.all {
							g.wantGone(t, what+": after the first", c)
						} else if first.name == "closes" && !other.Silent {
							other.Send([]byte("late")) // to which the answer is a reset
						}
						g.settle()
						second.do(other)
						if c.H2 != nil {
							c.Leave()
						}
						g.wantGone(t, what, nil)
						c.Leave()
						p.Leave()
					})
				}
				ends.Wait()
				if t.Failed() {
					return
				}
				servertest.Until(t, order+": the descriptors to be given back", func() bool { return filesHeld() <= files })
			}
		}
	}
	for n, g := range gateways {
		if left := g.counted(func(c *stats.Counters) uint64 { return c.ExchangesStarted - c.ExchangesEnded }); left != 0 {
			t.Errorf("%s: %d exchanges have not ended", all[n].name, left)
		}
	}
}
