package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// beginDrain starts a drain and returns once every loop has stopped accepting.
func (g *gateway) beginDrain(limit time.Duration) (drained chan error) {
	drained = make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	g.t.Cleanup(cancel)
	go func() { drained <- g.Drain(ctx) }()
	for _, w := range g.workers {
		for draining := make(chan bool); ; {
			w.loop.Post(func() { draining <- w.draining })
			if <-draining {
				break
			}
		}
	}
	return drained
}

// TestDrainUnderLoad: clients that keep their connections busy, and give them up when told to, lose no
// request.
func TestDrainUnderLoad(t *testing.T) {
	g := newGateway(t, nil, Options{})
	addr, _ := scripted(t, okResponse("ok"), false)
	g.serve(nil, addr)
	var clients sync.WaitGroup
	var served atomic.Int64
	warm := make(chan struct{})
	for range 32 {
		clients.Go(func() {
			for {
				conn, err := net.Dial("tcp", g.addr)
				if err != nil {
					return // the listener is gone
				}
				c := newWire(t, conn)
				for {
					got := c.get("/")
					if got.StatusCode != 200 || got.body != "ok" {
						t.Errorf("a request got %d %q %v", got.StatusCode, got.body, got.cut)
						conn.Close()
						return
					}
					if served.Add(1) == 2000 {
						close(warm)
					}
					if got.Close {
						conn.Close()
						break
					}
				}
			}
		})
	}
	<-warm
	begun := time.Now()
	drained := g.beginDrain(10 * time.Second)
	clients.Wait()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("the drain took %v", d)
	}
}

// TestDrainOfOpenConnections: a response under way is finished; requests that come on open
// connections within the grace are answered, with Connection: close; and the idle ones are closed
// after it.
func TestDrainOfOpenConnections(t *testing.T) {
	g := newGateway(t, nil, Options{})
	started, release := make(chan struct{}), make(chan struct{})
	g.serve(nil, faultyBackend(t, func(c *wire) bool {
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
		started <- struct{}{}
		<-release
		c.send("ow")
		return true
	}))
	quiet, late, unfinished, slow := g.wire(), g.wire(), g.wire(), g.wire()
	quiet.get("/")
	late.get("/")
	unfinished.get("/")
	unfinished.send("GET / HTTP/1.1\r\nHo")
	slow.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	begun := time.Now()
	drained := g.beginDrain(20 * time.Second)
	if c, err := net.Dial("tcp", g.addr); err == nil {
		t.Error("a new connection is accepted")
		c.Close()
	}
	if got := late.get("/"); got.body != "fine" || !got.Close {
		t.Errorf("a request within the grace got %d %q, close %v", got.StatusCode, got.body, got.Close)
	}
	unfinished.send("st: a\r\n\r\n")
	if got := unfinished.read("GET"); got.body != "fine" || !got.Close {
		t.Errorf("a request half sent got %d %q, close %v", got.StatusCode, got.body, got.Close)
	}
	close(release)
	if got := slow.read("GET"); got.body != "slow" || got.Close {
		t.Errorf("the response under way got %q, close %v", got.body, got.Close)
	}
	// Its head could not say that the connection would end, so it must be good for another request.
	if got := slow.get("/"); got.body != "fine" || !got.Close {
		t.Errorf("then %d %q, close %v, want an answer that says so", got.StatusCode, got.body, got.Close)
	}
	quiet.wantClosed()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	if d := time.Since(begun); d < idleGrace-time.Millisecond || d > 3*idleGrace {
		t.Errorf("the drain took %v, want the grace of %v", d, idleGrace)
	}
}

// TestDrainOfALateIdleConnection: one that falls idle after the grace has a grace of its own, and does
// not hold the drain up for its idle timeout.
func TestDrainOfALateIdleConnection(t *testing.T) {
	g := newGateway(t, nil, Options{})
	started, release := make(chan struct{}), make(chan struct{})
	g.serve(nil, faultyBackend(t, func(c *wire) bool {
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
		started <- struct{}{}
		<-release
		c.send("ow")
		return true
	}))
	c := g.wire()
	c.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	drained := g.beginDrain(20 * time.Second)
	time.AfterFunc(idleGrace+200*time.Millisecond, func() { close(release) })
	if got := c.read("GET"); got.body != "slow" {
		t.Errorf("got %q", got.body)
	}
	begun := time.Now()
	c.wantClosed()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	if d := time.Since(begun); d > 2*idleGrace {
		t.Errorf("it took %v more", d)
	}
}

// TestDrainCutsAtItsDeadline what does not end.
func TestDrainCutsAtItsDeadline(t *testing.T) {
	g := newGateway(t, nil, Options{})
	started := make(chan struct{})
	g.serve(nil, faultyBackend(t, func(c *wire) bool {
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
		close(started)
		c.rest()
		return false
	}))
	c := g.wire()
	c.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	drained := g.beginDrain(100 * time.Millisecond)
	if got := c.read("GET"); got.StatusCode != 200 || got.cut == nil {
		t.Errorf("got %d %q as if complete", got.StatusCode, got.body)
	}
	if err := <-drained; err == nil {
		t.Error("Drain does not say that it cut something")
	}
}
