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
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// tailSize is more than the client's side takes at once, and less than what the kernel keeps of a peer that writes
// to one that does not read.
const tailSize = 100 << 10

// slowReceive is the receive buffer of a client that is slow.
const slowReceive = 16 << 10

// TestTailOfATunnel: an Endpoint that closes with something unread, which resets its connection, has sent its
// last bytes before: they reach a client that is slow to read, and only then the tunnel breaks.
func TestTailOfATunnel(t *testing.T) {
	tail := pattern(tailSize)
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range partyKinds {
			t.Run(k.name+" to "+protocol.String(), func(t *testing.T) {
				e := newEndpoints(t, protocol, "")
				g := newGateway(t, nil, Options{})
				g.serveProtocol(protocol, e.addr)
				c := g.party(t, k, slowReceive)
				c.ask("CONNECT")
				p := e.next(t)
				p.accept(true, -1)
				c.heard()
				c.send([]byte("unread"))
				p.send(tail)
				p.acknowledged()
				if p.h2 != nil {
					p.rst()
				} else {
					p.unread()
					p.leave()
				}
				g.settle()
				got, end := c.rest()
				if !bytes.Equal(got, tail) || end == "end" {
					t.Errorf("%d bytes of %d came, and then the %s", len(got), len(tail), end)
				}
			})
		}
	}
}

// TestEndBeforeAReset: over TLS an Endpoint tells the end itself. What becomes of its connection behind that takes
// nothing from anybody: the client sees a proper end.
func TestEndBeforeAReset(t *testing.T) {
	tail := pattern(tailSize)
	for _, k := range partyKinds {
		t.Run(k.name, func(t *testing.T) {
			e := newEndpoints(t, routing.HTTPS, "")
			g := newGateway(t, nil, Options{})
			g.serveProtocol(routing.HTTPS, e.addr)
			c := g.party(t, k, 0)
			c.ask("CONNECT")
			p := e.next(t)
			p.accept(true, -1)
			c.heard()
			c.send([]byte("unread"))
			p.send(tail)
			if err := p.conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			p.unread()
			p.leave()
			g.settle()
			if got, end := c.rest(); !bytes.Equal(got, tail) || end != "end" {
				t.Errorf("%d bytes of %d came, and then the %s", len(got), len(tail), end)
			}
		})
	}
}

// TestTailTowardsAnEndpoint is the same the other way: what a client sent before it broke off.
func TestTailTowardsAnEndpoint(t *testing.T) {
	tail := pattern(tailSize)
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, k := range partyKinds {
			t.Run(k.name+" to "+protocol.String(), func(t *testing.T) {
				e := newEndpoints(t, protocol, "")
				g := newGateway(t, nil, Options{})
				g.serveProtocol(protocol, e.addr)
				c := g.party(t, k, 0)
				c.ask("CONNECT")
				p := e.next(t)
				_ = p.tcp.SetReadBuffer(slowReceive)
				p.accept(true, -1)
				c.heard()
				p.send([]byte("unread"))
				size := tailSize
				if k.streams {
					size = 60 << 10 // a client's window is the least that there is
				}
				c.send(tail[:size])
				c.acknowledged()
				if c.h2 != nil {
					c.rst()
				} else {
					c.unread()
					c.leave()
				}
				g.settle()
				got, end := p.rest()
				if !bytes.Equal(got, tail[:size]) || end == "end" {
					t.Errorf("%d bytes of %d came, and then the %s", len(got), size, end)
				}
			})
		}
	}
}

// TestTailOfAPassthrough is TestTailOfATunnel for connections that are passed on, both ways.
func TestTailOfAPassthrough(t *testing.T) {
	hello := helloFor(t, "pass.test")
	tail := pattern(tailSize)
	for _, down := range []bool{true, false} {
		t.Run(fmt.Sprintf("to the client %v", down), func(t *testing.T) {
			e := newEndpoints(t, routing.HTTP, hello)
			g := newGateway(t, nil, Options{})
			g.servePassthrough("", e.addr)
			w := g.secureWire()
			c := &party{t: t, name: "client", tcp: w.TCPConn, conn: w.TCPConn, r: w.r}
			c.send([]byte(hello))
			p := e.next(t)
			from, to := p, c
			if !down {
				from, to = c, p
			}
			_ = to.tcp.SetReadBuffer(slowReceive)
			to.send([]byte("unread"))
			from.send(tail)
			from.acknowledged()
			from.unread()
			from.leave()
			g.settle()
			got, end := to.rest()
			if !bytes.Equal(got, tail) || end != "reset" {
				t.Errorf("%d bytes of %d came, and then the %s", len(got), len(tail), end)
			}
			why := stats.UpstreamReset
			if !down {
				why = stats.ClientAbort
			}
			until(t, "it to be counted", func() bool { return g.failures(why) == 1 })
		})
	}
}

// TestTailOfABody: all of a response that the gateway's kernel has acknowledged reaches a slow client, also where
// the Endpoint resets its connection behind it.
func TestTailOfABody(t *testing.T) {
	const size = 6 << 20
	body := pattern(size)
	for _, splice := range []config.Size{0, 64 << 10} {
		for _, protocol := range []routing.Protocol{routing.HTTP, routing.HTTPS} {
			for _, k := range partyKinds[:2] {
				t.Run(fmt.Sprintf("%s to %s, splice from %d", k.name, protocol, splice), func(t *testing.T) {
					e := newEndpoints(t, protocol, "")
					g := newGateway(t, func(c *config.Config) { c.HTTP.SpliceThreshold = splice }, Options{})
					g.serveProtocol(protocol, e.addr)
					for range 2 {
						tailOfABody(t, g, e, k, body)
					}
				})
			}
		}
	}
}

func tailOfABody(t *testing.T, g *gateway, e *endpoints, k partyKind, body []byte) {
	c := g.party(t, k, 4*slowReceive)
	defer c.leave()
	c.ask("GET")
	p := e.next(t)
	for _, w := range g.workers {
		w.Post(func() {
			for d := w.downs.next; d != &w.downs; d = d.next {
				setInt(d.src.FD(), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4*slowReceive) // so that what waits does so before it
			}
		})
	}
	g.settle()
	p.accept(false, len(body))
	c.heard()
	reset := make(chan struct{})
	go func() {
		defer close(reset)
		p.send(body)
		p.acknowledged()
		p.rst()
	}()
	got := make([]byte, 0, len(body))
	piece := make([]byte, 32<<10)
	read := func() bool {
		n, err := c.r.Read(piece)
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
	_ = c.tcp.SetReadBuffer(1 << 20)
	before := len(got)
	for len(got) < len(body) && read() {
	}
	if !bytes.Equal(got, body) {
		t.Errorf("%d bytes of %d came, %d before the reset", len(got), len(body), before)
	}
}
