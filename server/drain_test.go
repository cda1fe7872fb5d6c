package server

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestDrainUnderLoad: clients that keep their connections busy, and close them when asked to, lose no request.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
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
				c := servertest.NewWire(t, conn)
				for last := time.Now(); ; {
					before := last
					last = time.Now()
					c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
					sent := time.Since(before)
					got := c.ReadAnswer("GET")
					if sent >= time.Duration(down.IdleGrace) && got.StatusCode == 0 {
						t.Logf("a client was kept from its next request for %v", sent)
						conn.Close()
						break
					}
					if got.StatusCode != 200 || got.Text != "ok" {
						t.Errorf("a request got %d %q %v, sent %v after the one before", got.StatusCode, got.Text, got.Cut, sent)
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
	drained := g.beginDrain(servertest.Timeout) // less than the idle timeout, for which it must not wait
	clients.Wait()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

// TestDrainOfOpenConnections: a response under way is finished; requests that come on open connections within the grace are
// answered, with Connection: close; and the idle ones are closed after it.
func TestDrainOfOpenConnections(t *testing.T) {
	t.Parallel()
	servertest.Retry(t, drainOfOpenConnections)
}

func drainOfOpenConnections(t *servertest.Try, _ time.Duration) {
	g := newGateway(t, nil, Options{})
	started, release := make(chan struct{}), make(chan struct{})
	g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
		started <- struct{}{}
		<-release
		c.Send("ow")
		return true
	}))
	quiet, late, unfinished, slow := g.wire(), g.wire(), g.wire(), g.wire()
	quiet.Get("/")
	late.Get("/")
	unfinished.Get("/")
	unfinished.Send("GET / HTTP/1.1\r\nHo")
	slow.Send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	begun := time.Now()
	drained := g.beginDrain(servertest.Timeout)
	if c, err := net.Dial("tcp", g.addr); err == nil {
		t.Error("a new connection is accepted")
		c.Close()
	}
	late.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	t.InTime = time.Since(begun) < time.Duration(down.IdleGrace)
	if got := late.ReadAnswer("GET"); got.Text != "fine" || !got.Close {
		t.Errorf("a request within the grace got %d %q, close %v", got.StatusCode, got.Text, got.Close)
	}
	unfinished.Send("st: a\r\n\r\n")
	if got := unfinished.ReadAnswer("GET"); got.Text != "fine" || !got.Close {
		t.Errorf("a request half sent got %d %q, close %v", got.StatusCode, got.Text, got.Close)
	}
	released := time.Now()
	close(release)
	if got := slow.ReadAnswer("GET"); got.Text != "slow" || got.Close {
		t.Errorf("the response under way got %q, close %v", got.Text, got.Close)
	}
	// Its head did not announce the close of the connection, which must serve another request.
	slow.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	t.InTime = t.InTime && time.Since(released) < time.Duration(down.IdleGrace)
	if got := slow.ReadAnswer("GET"); got.Text != "fine" || !got.Close {
		t.Errorf("then %d %q, close %v, want an answer that says so", got.StatusCode, got.Text, got.Close)
	}
	quiet.WantClosed()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	// The upper bound is the drain's own: an idle connection is kept for 75 s otherwise.
	if d := time.Since(begun); d < time.Duration(down.IdleGrace)-time.Millisecond {
		t.Errorf("the drain took %v, want the grace of %v", d, time.Duration(down.IdleGrace))
	}
}

// TestDrainOfALateIdleConnection: a connection that falls idle after the grace has a grace of its own, and does not hold the
// drain up for its idle timeout.
func TestDrainOfALateIdleConnection(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	started, release := make(chan struct{}), make(chan struct{})
	g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
		started <- struct{}{}
		<-release
		c.Send("ow")
		return true
	}))
	c := g.wire()
	c.Send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	drained := g.beginDrain(servertest.Timeout)
	time.AfterFunc(time.Duration(down.IdleGrace)+200*time.Millisecond, func() { close(release) })
	if got := c.ReadAnswer("GET"); got.Text != "slow" {
		t.Errorf("got %q", got.Text)
	}
	c.WantClosed()
	if err := <-drained; err != nil { // it has less than the idle timeout
		t.Errorf("Drain: %v", err)
	}
}

// TestDrainCutsAtItsDeadline: a drain cuts connections that do not end in time.
func TestDrainCutsAtItsDeadline(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	started := make(chan struct{})
	g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
		close(started)
		c.Rest()
		return false
	}))
	c := g.wire()
	c.Send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	if head := c.Head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("got %q", head)
	}
	c.Exactly("sl")
	drained := g.beginDrain(100 * time.Millisecond)
	c.WantClosed()
	if err := <-drained; err == nil {
		t.Error("Drain does not say that it cut something")
	}
}

// TestDrainServesWhatWaitsToBeAccepted: a connection that waits in the listener's queue when a drain begins is served, also
// where it is the only one: that none is open counts once every loop has accepted what waits.
func TestDrainServesWhatWaitsToBeAccepted(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	busy, release := make(chan struct{}), make(chan struct{})
	g.workers[0].Post(func() { close(busy); <-release })
	<-busy
	c := g.wire()
	c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	drained := make(chan error, 1)
	go func() { drained <- g.Drain(t.Context()) }()
	time.Sleep(100 * time.Millisecond) // plays a busy loop, for so long that the drain has begun
	close(release)
	if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.Text != "ok" {
		t.Errorf("got %d %q: %v", got.StatusCode, got.Text, got.Cut)
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

// TestDrainBeginsNoConnectionThatItResets: between the last accept and the close of a listener nobody can connect, for such a
// connection would be reset. Whoever connected before is served, also where the loop accepts it later.
func TestDrainBeginsNoConnectionThatItResets(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	var queued *servertest.Wire
	refused := make(chan struct{})
	g.workers[0].Post(func() {
		queued = g.wire()
		g.workers[0].down.RefuseConnections()
		close(refused)
	})
	<-refused
	late, err := net.DialTimeout("tcp", g.addr, 200*time.Millisecond) // a SYN is sent again after a second
	if err == nil {
		late.Close()
	}
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("connecting got %v, want a timeout", err)
	}
	queued.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if got := queued.ReadAnswer("GET"); got.Text != "ok" {
		t.Errorf("got %d %q: %v", got.StatusCode, got.Text, got.Cut)
	}
	if err := g.Drain(t.Context()); err != nil {
		t.Errorf("Drain: %v", err)
	}
}
