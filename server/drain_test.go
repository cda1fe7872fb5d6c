package server

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
)

// beginDrain starts a drain and returns once every loop has stopped accepting, or the drain has ended: a
// loop that has ended runs nothing any more.
func (g *gateway) beginDrain(limit time.Duration) (drained chan error) {
	drained = make(chan error, 1)
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	g.t.Cleanup(cancel)
	go func() {
		drained <- g.Drain(ctx)
		close(ended)
	}()
	for _, w := range g.workers {
		for draining := make(chan bool, 1); ; {
			w.Post(func() { draining <- w.draining })
			select {
			case stopped := <-draining:
				if !stopped {
					continue
				}
			case <-ended:
			}
			break
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
				for last := time.Now(); ; {
					before := last
					last = time.Now()
					c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
					sent := time.Since(before)
					got := c.read("GET")
					if sent >= idleGrace && got.StatusCode == 0 {
						t.Logf("a client was kept from its next request for %v", sent)
						conn.Close()
						break
					}
					if got.StatusCode != 200 || got.body != "ok" {
						t.Errorf("a request got %d %q %v, sent %v after the one before", got.StatusCode, got.body, got.cut, sent)
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
	drained := g.beginDrain(wireTimeout) // less than the idle timeout, for which it must not wait
	clients.Wait()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

// TestDrainOfOpenConnections: a response under way is finished; requests that come on open
// connections within the grace are answered, with Connection: close; and the idle ones are closed
// after it.
func TestDrainOfOpenConnections(t *testing.T) { play(t, drainOfOpenConnections) }

func drainOfOpenConnections(t *scene, _ time.Duration) {
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
	drained := g.beginDrain(wireTimeout)
	if c, err := net.Dial("tcp", g.addr); err == nil {
		t.Error("a new connection is accepted")
		c.Close()
	}
	late.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	t.inTime = time.Since(begun) < idleGrace
	if got := late.read("GET"); got.body != "fine" || !got.Close {
		t.Errorf("a request within the grace got %d %q, close %v", got.StatusCode, got.body, got.Close)
	}
	unfinished.send("st: a\r\n\r\n")
	if got := unfinished.read("GET"); got.body != "fine" || !got.Close {
		t.Errorf("a request half sent got %d %q, close %v", got.StatusCode, got.body, got.Close)
	}
	released := time.Now()
	close(release)
	if got := slow.read("GET"); got.body != "slow" || got.Close {
		t.Errorf("the response under way got %q, close %v", got.body, got.Close)
	}
	// Its head could not say that the connection would end, so it must be good for another request.
	slow.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	t.inTime = t.inTime && time.Since(released) < idleGrace
	if got := slow.read("GET"); got.body != "fine" || !got.Close {
		t.Errorf("then %d %q, close %v, want an answer that says so", got.StatusCode, got.body, got.Close)
	}
	quiet.wantClosed()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	// The upper bound is the drain's own: an idle connection is kept for 75 s otherwise.
	if d := time.Since(begun); d < idleGrace-time.Millisecond {
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
	drained := g.beginDrain(wireTimeout)
	time.AfterFunc(idleGrace+200*time.Millisecond, func() { close(release) })
	if got := c.read("GET"); got.body != "slow" {
		t.Errorf("got %q", got.body)
	}
	c.wantClosed()
	if err := <-drained; err != nil { // it has less than the idle timeout
		t.Errorf("Drain: %v", err)
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
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("got %q", head)
	}
	c.exactly("sl")
	drained := g.beginDrain(100 * time.Millisecond)
	c.wantClosed()
	if err := <-drained; err == nil {
		t.Error("Drain does not say that it cut something")
	}
}

// TestDrainServesWhatWaitsToBeAccepted: a connection that waits in the listener's queue when a drain begins is
// served, also where it is the only one: that none is open counts once every loop has accepted what waits.
func TestDrainServesWhatWaitsToBeAccepted(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	addr, _ := scripted(t, okResponse("ok"), false)
	g.serve(nil, addr)
	busy, release := make(chan struct{}), make(chan struct{})
	g.workers[0].Post(func() { close(busy); <-release })
	<-busy
	c := g.wire()
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	drained := make(chan error, 1)
	go func() { drained <- g.Drain(t.Context()) }()
	time.Sleep(100 * time.Millisecond) // plays a busy loop, for so long that the drain has begun
	close(release)
	if got := c.read("GET"); got.StatusCode != 200 || got.body != "ok" {
		t.Errorf("got %d %q: %v", got.StatusCode, got.body, got.cut)
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}
