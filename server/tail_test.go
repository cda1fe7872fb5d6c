package server

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// tailSize is more than the client's side takes at once, and less than what the kernel keeps of a peer that writes to one
// that does not read.
const tailSize = 100 << 10

// slowReceive is the receive buffer of a client that is slow.
const slowReceive = 16 << 10

// TestTailOfATunnel: an Endpoint that closes with something unread, which resets its connection, has sent its last bytes
// before: they reach a client that is slow to read, and only then the tunnel breaks.
func TestTailOfATunnel(t *testing.T) {
	t.Parallel()
	tail := servertest.Pattern(tailSize)
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range servertest.Kinds {
			t.Run(k.Name+" to "+protocol.String(), func(t *testing.T) {
				t.Parallel()
				e := servertest.NewEndpoints(t, protocol, "")
				g := newGateway(t, nil, Options{})
				g.serveProtocol(protocol, e.Addr)
				c := g.party(t, k, slowReceive)
				c.Ask("CONNECT")
				p := e.Next(t)
				p.Accept(true, -1)
				c.Heard()
				c.Send([]byte("unread"))
				p.Send(tail)
				p.Acknowledged()
				if p.H2 != nil {
					p.Reset()
				} else {
					p.Unread()
					p.Leave()
				}
				g.settle()
				got, end := c.Rest()
				if !bytes.Equal(got, tail) || end == "end" {
					t.Errorf("%d bytes of %d came, and then the %s", len(got), len(tail), end)
				}
			})
		}
	}
}

// TestEndBeforeAReset: over TLS an Endpoint tells the end itself, by close_notify. A reset of its connection behind that
// costs no byte: the client sees a proper end.
func TestEndBeforeAReset(t *testing.T) {
	t.Parallel()
	tail := servertest.Pattern(tailSize)
	for _, k := range servertest.Kinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			e := servertest.NewEndpoints(t, routing.HTTPS, "")
			g := newGateway(t, nil, Options{})
			g.serveProtocol(routing.HTTPS, e.Addr)
			c := g.party(t, k, 0)
			c.Ask("CONNECT")
			p := e.Next(t)
			p.Accept(true, -1)
			c.Heard()
			c.Send([]byte("unread"))
			p.Send(tail)
			if err := p.Conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			p.Unread()
			p.Leave()
			g.settle()
			if got, end := c.Rest(); !bytes.Equal(got, tail) || end != "end" {
				t.Errorf("%d bytes of %d came, and then the %s", len(got), len(tail), end)
			}
		})
	}
}

// TestTailTowardsAnEndpoint is the same the other way: what a client sent before it broke off.
func TestTailTowardsAnEndpoint(t *testing.T) {
	t.Parallel()
	tail := servertest.Pattern(tailSize)
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range servertest.Kinds {
			t.Run(k.Name+" to "+protocol.String(), func(t *testing.T) {
				t.Parallel()
				e := servertest.NewEndpoints(t, protocol, "")
				g := newGateway(t, nil, Options{})
				g.serveProtocol(protocol, e.Addr)
				c := g.party(t, k, 0)
				c.Ask("CONNECT")
				p := e.Next(t)
				_ = p.TCP.SetReadBuffer(slowReceive)
				p.Accept(true, -1)
				c.Heard()
				p.Send([]byte("unread"))
				size := tailSize
				if k.Streams {
					size = 60 << 10 // a client's window is the least that there is
				}
				c.Send(tail[:size])
				c.Acknowledged()
				if c.H2 != nil {
					c.Reset()
				} else {
					c.Unread()
					c.Leave()
				}
				g.settle()
				got, end := p.Rest()
				if !bytes.Equal(got, tail[:size]) || end == "end" {
					t.Errorf("%d bytes of %d came, and then the %s", len(got), size, end)
				}
			})
		}
	}
}

// TestTailOfAPassthrough is TestTailOfATunnel for connections that are passed on, both ways.
func TestTailOfAPassthrough(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	tail := servertest.Pattern(tailSize)
	for _, down := range []bool{true, false} {
		t.Run(fmt.Sprintf("to the client %v", down), func(t *testing.T) {
			e := servertest.NewEndpoints(t, routing.HTTP, hello)
			g := newGateway(t, nil, Options{})
			g.servePassthrough("", e.Addr)
			w := g.secureWire()
			c := servertest.NewParty(t, "client", w)
			c.Send([]byte(hello))
			p := e.Next(t)
			from, to := p, c
			if !down {
				from, to = c, p
			}
			_ = to.TCP.SetReadBuffer(slowReceive)
			to.Send([]byte("unread"))
			from.Send(tail)
			from.Acknowledged()
			from.Unread()
			from.Leave()
			g.settle()
			got, end := to.Rest()
			if !bytes.Equal(got, tail) || end != "reset" {
				t.Errorf("%d bytes of %d came, and then the %s", len(got), len(tail), end)
			}
			why := stats.UpstreamReset
			if !down {
				why = stats.ClientAbort
			}
			servertest.Until(t, "it to be counted", func() bool { return g.failures(why) == 1 })
		})
	}
}

// TestTailOfABody: all of a response that the gateway's kernel has acknowledged reaches a slow client, also where the
// Endpoint resets its connection behind it.
func TestTailOfABody(t *testing.T) {
	t.Parallel()
	const size = 6 << 20
	body := servertest.Pattern(size)
	for _, splice := range []config.Size{0, 64 << 10} {
		for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS} {
			for _, k := range servertest.Kinds[:2] {
				t.Run(fmt.Sprintf("%s to %s, splice from %d", k.Name, protocol, splice), func(t *testing.T) {
					t.Parallel()
					e := servertest.NewEndpoints(t, protocol, "")
					g := newGateway(t, func(c *config.Config) { c.HTTP.SpliceThreshold = splice }, Options{})
					g.serveProtocol(protocol, e.Addr)
					for range servertest.Times(2, 1) {
						tailOfABody(t, g, e, k, body)
					}
				})
			}
		}
	}
}

func tailOfABody(t *testing.T, g *gateway, e *servertest.Endpoints, k servertest.Kind, body []byte) {
	c := g.party(t, k, 4*slowReceive)
	defer c.Leave()
	c.Ask("GET")
	p := e.Next(t)
	for _, w := range g.workers {
		w.Post(func() {
			for d := range w.down.All() {
				wire.SetInt(d.Src.FD(), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4*slowReceive) // so that what waits does so before it
			}
		})
	}
	g.settle()
	p.Accept(false, len(body))
	c.Heard()
	reset := make(chan struct{})
	go func() {
		defer close(reset)
		p.Send(body)
		p.Acknowledged()
		p.Reset()
	}()
	got := make([]byte, 0, len(body))
	piece := make([]byte, 32<<10)
	read := func() bool {
		n, err := c.R.Read(piece)
		got = append(got, piece[:n]...)
		return err == nil && len(got) < len(body)
	}
	// No faster than it must be for the Endpoint to be rid of its last byte.
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for more, over := true, false; more && !over; {
		select {
		case <-reset:
			over = true
		case <-pace.C:
			more = read()
		}
	}
	<-reset
	g.settle()
	_ = c.TCP.SetReadBuffer(1 << 20)
	before := len(got)
	for len(got) < len(body) && read() {
	}
	if !bytes.Equal(got, body) {
		t.Errorf("%d bytes of %d came, %d before the reset", len(got), len(body), before)
	}
}
