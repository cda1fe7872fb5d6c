package server

import (
	"fmt"
	"math"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// stillState is a state that two parties reach and leave as it is, with its name and the function that begins it.
type stillState struct {
	name  string
	begin func(t testing.TB, c, p *servertest.Party)
}

// stillTunnels are the states of a tunnel in which nothing moves.
var stillTunnels = []stillState{
	{"idle", func(_ testing.TB, c, p *servertest.Party) {}},
	{"the client has ended", func(_ testing.TB, c, p *servertest.Party) { c.Fin() }},
	{"the Endpoint has ended", func(_ testing.TB, c, p *servertest.Party) { p.Fin() }},
	{"the client reads nothing", func(_ testing.TB, c, p *servertest.Party) { p.Flood() }},
	{"the Endpoint reads nothing", func(_ testing.TB, c, p *servertest.Party) { c.Flood() }},
	{"neither reads", func(_ testing.TB, c, p *servertest.Party) { c.Flood(); p.Flood() }},
	{"the client has ended and reads nothing", func(_ testing.TB, c, p *servertest.Party) { c.Fin(); p.Flood() }},
	{"the Endpoint has ended and reads nothing", func(_ testing.TB, c, p *servertest.Party) { p.Fin(); c.Flood() }},
	{"the client has sent and ended, and nobody reads", func(_ testing.TB, c, p *servertest.Party) { c.Send(make([]byte, 60<<10)); c.Fin() }},
	{"the Endpoint has sent and ended, and nobody reads", func(_ testing.TB, c, p *servertest.Party) { p.Send(make([]byte, 60<<10)); p.Fin() }},
	{"the client has broken off, and the Endpoint does not read", func(_ testing.TB, c, p *servertest.Party) {
		_ = p.TCP.SetReadBuffer(slowReceive)
		c.Send(make([]byte, 60<<10))
		c.Reset()
	}},
	{"the Endpoint has broken off, and the client does not read", func(_ testing.TB, c, p *servertest.Party) {
		_ = c.TCP.SetReadBuffer(slowReceive)
		p.Send(make([]byte, 60<<10))
		p.Reset()
	}},
}

// stillExchanges are those of an exchange; the request is a POST of stillLength bytes, of which none is sent yet.
var stillExchanges = []stillState{
	{"no body comes", func(_ testing.TB, c, p *servertest.Party) {}},
	{"a part of the body came", func(_ testing.TB, c, p *servertest.Party) { c.Send([]byte("part")) }},
	{"the Endpoint reads nothing", func(_ testing.TB, c, p *servertest.Party) { c.Flood() }},
	{"the answer has begun", func(_ testing.TB, c, p *servertest.Party) { p.Accept(false, stillLength); p.Send([]byte("part")) }},
	{"the client reads nothing", func(_ testing.TB, c, p *servertest.Party) { p.Accept(false, stillLength); p.Flood() }},
	{"neither reads", func(_ testing.TB, c, p *servertest.Party) { p.Accept(false, stillLength); p.Flood(); c.Flood() }},
	{"answered before the body", func(_ testing.TB, c, p *servertest.Party) { p.Accept(false, 2); p.Send([]byte("ok")) }},
	{"the client reads nothing of what ends with the connection", func(_ testing.TB, c, p *servertest.Party) { p.Accept(false, -1); p.Flood() }},
	{"the client has ended in its body", func(_ testing.TB, c, p *servertest.Party) { c.Send([]byte("part")); c.Fin() }},
	{"the Endpoint has ended in its answer", func(_ testing.TB, c, p *servertest.Party) {
		p.Accept(false, stillLength)
		p.Send([]byte("part"))
		p.Fin()
	}},
}

// stillRequests are those of a GET.
var stillRequests = []stillState{
	{"no answer comes", func(_ testing.TB, c, p *servertest.Party) {}},
	{"no answer comes to a client that has ended", func(_ testing.TB, c, p *servertest.Party) {
		if c.H2 == nil {
			c.Fin()
		}
	}},
	{"a client that has ended reads nothing", func(_ testing.TB, c, p *servertest.Party) {
		if c.H2 == nil {
			c.Fin()
		}
		p.Accept(false, stillLength)
		p.Flood()
	}},
	{"a client that has ended gets a part", func(_ testing.TB, c, p *servertest.Party) {
		if c.H2 == nil {
			c.Fin()
		}
		p.Accept(false, stillLength)
		p.Send([]byte("part"))
	}},
	{"answered, and the client's connection kept", func(_ testing.TB, c, p *servertest.Party) {
		if p.H2 == nil {
			p.Send([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
			return
		}
		p.Accept(false, 2)
		p.Send([]byte("ok"))
		p.Fin()
	}},
}

const stillLength = 64 << 20

// What may be taken of a core by one state, and by all 500 together, beyond the gateways at rest, whose clocks tick. One in
// which an event brings about the next takes 80 % and more.
const (
	busyShare = 0.01
	busyAll   = 0.03
)

// busy returns which part of a core the process takes. It is played again where that is above bar: what goes on of itself is
// so each time.
func busy(window time.Duration, tries int, bar float64) (share float64) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for range tries {
		before := cpuTime()
		begun := time.Now()
		time.Sleep(window) // nothing is waited for: this is what is measured
		share = float64(cpuTime()-before) / float64(time.Since(begun))
		if share < bar {
			return share
		}
	}
	return share
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// still are states that are held at the same time.
type still struct {
	t      *testing.T
	only   int // hold this one alone; -1 = all
	n      int
	names  []string
	closes []func()
}

// hold begins a state, unless another one is to be held alone. With -short it is one in four.
func (s *still) hold(name string, state stillState, open func(t testing.TB) (c, p *servertest.Party)) {
	s.n++
	if s.only >= 0 && s.only != s.n-1 || s.only < 0 && s.n%servertest.Times(1, 4) != 0 {
		return
	}
	s.names = append(s.names, name+": "+state.name)
	c, p := open(s.t)
	state.begin(s.t, c, p)
	s.closes = append(s.closes, c.Leave, p.Leave)
}

// TestStillStatesSleep holds every state in which nothing moves, of every pairing, all at once, and measures the time that
// the process takes: where an event brings about the next one, that is a core. Where they do not sleep, it finds out which
// one that is.
func TestStillStatesSleep(t *testing.T) {
	window := 2 * time.Second
	if testing.Short() {
		window = 300 * time.Millisecond
	}
	hold := func(t *testing.T, only int, window time.Duration, tries int, bar float64) (share float64, n int) {
		s := &still{t: t, only: only}
		defer func() {
			for _, f := range s.closes {
				f()
			}
		}()
		for _, protocol := range chaosProtocols {
			s.exchanges(protocol)
		}
		s.passedOn()
		if only >= 0 && len(s.names) > 0 {
			t.Log(s.names[0])
		}
		return busy(window, tries, bar), s.n
	}
	rest, _ := hold(t, math.MaxInt, window, 1, 0) // no state
	share, n := hold(t, -1, window, 20, rest+busyAll)
	t.Logf("%d states take %.2f %% of a core, at rest it is %.2f %%", n, 100*share, 100*rest)
	if share < rest+busyAll {
		return
	}
	t.Errorf("%d states take %.1f %% of a core, at rest it is %.1f %%", n, 100*share, 100*rest)
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if share, _ := hold(t, i, 100*time.Millisecond, 5, rest+busyShare); share >= rest+busyShare {
				t.Errorf("takes %.1f %% of a core", 100*share)
			}
		})
	}
}

// exchanges holds those of all clients with Endpoints of a protocol.
func (s *still) exchanges(protocol routing.Protocol) {
	t := s.t
	e := servertest.NewEndpoints(t, protocol, "")
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(protocol, e.Addr)
	for _, k := range servertest.Kinds {
		name := k.Name + " to " + protocol.String()
		open := func(method string, more ...string) func(t testing.TB) (c, p *servertest.Party) {
			return func(t testing.TB) (c, p *servertest.Party) {
				c = g.party(t, k, 0)
				c.Ask(method, more...)
				return c, e.Next(t)
			}
		}
		for _, state := range stillTunnels {
			s.hold("tunnel "+name, state, func(t testing.TB) (c, p *servertest.Party) {
				c, p = open("CONNECT")(t)
				p.Accept(true, -1)
				c.Heard()
				return c, p
			})
		}
		for _, state := range stillExchanges {
			s.hold("POST "+name, state, open("POST", "content-length", fmt.Sprint(stillLength)))
		}
		for _, state := range stillRequests {
			s.hold("GET "+name, state, open("GET"))
		}
		if k.Streams && exchange.SpeaksHTTP2(protocol) {
			for _, state := range stillExchanges {
				s.hold("gRPC "+name, state, open("POST", "content-type", "application/grpc", "te", "trailers"))
			}
		}
	}
}

// passedOn holds those of connections that are passed on, behind a PROXY protocol header too.
func (s *still) passedOn() {
	t := s.t
	hello := servertest.ClientHello(t, "pass.test")
	for _, header := range []string{"", headerV2} {
		e := servertest.NewEndpoints(t, routing.HTTP, hello)
		g := newGateway(t, nil, Options{})
		if header != "" {
			g = newProxiedGateway(t, nil)
		}
		g.servePassthrough("", e.Addr)
		for _, state := range stillTunnels {
			s.hold(fmt.Sprintf("passed on, PROXY %v", header != ""), state, func(t testing.TB) (c, p *servertest.Party) {
				w := g.secureWire()
				c = servertest.NewParty(t, "client", w)
				c.Send([]byte(header + hello))
				return c, e.Next(t)
			})
		}
	}
}
