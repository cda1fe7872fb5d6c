package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestHeaderTimeout bounds the whole head: silence, a part, and a trickle of bytes end alike, on a new connection and on one
// that has served.
func TestHeaderTimeout(t *testing.T) {
	t.Parallel()
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	for _, tt := range []struct {
		name    string
		served  bool
		first   string
		trickle string
		answer  bool
	}{
		{"silence", false, "", "", false},
		{"half a head", false, "GET / HTTP/1.1\r\nHo", "", true},
		{"a byte at a time", false, "GET / HTTP/1.1\r\nHost: a\r\nX: ", "y", true},
		{"a field at a time", false, "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", true},
		{"half a second head", true, "GET / HT", "", true},
		{"a byte at a time of a second head", true, "GET /", "a", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
				g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Header = config.Duration(timeout) }), Options{})
				g.serve(nil, addr)
				begun := time.Now()
				c := g.wire()
				if tt.served {
					begun = time.Now()
					c.Get("/")
				}
				c.Send(tt.first)
				stop := make(chan struct{})
				defer close(stop)
				if tt.trickle != "" {
					go servertest.EveryTick(timeout/7, stop, func() { c.Send(tt.trickle) })
				}
				if tt.answer {
					if got := c.ReadAnswer("GET"); got.StatusCode != 408 || !got.Close {
						t.Errorf("status %d, close %v, want 408", got.StatusCode, got.Close)
					}
				}
				c.WantClosed()
				servertest.Took(t, begun, timeout)
				if got := g.wire().Get("/"); got.Text != "ok" {
					t.Errorf("others get %d %q", got.StatusCode, got.Text)
				}
			})
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Idle = config.Duration(servertest.Short) }), Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	c := g.wire()
	begun := time.Now()
	c.Get("/")
	c.WantClosed()
	servertest.Took(t, begun, servertest.Short)
}

// TestBodyTimeout bounds the wait for the next part of a body, whether or not the response has begun; a slow body that does
// come goes through.
func TestBodyTimeout(t *testing.T) {
	t.Parallel()
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(servertest.Short) }), Options{})
	app := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		head := c.Head()
		if servertest.Target(head) == "/early" {
			c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
		}
		c.Send(servertest.OKResponse(c.Take(10)))
		c.Rest()
	})
	g.serve(nil, app)
	t.Run("before the response", func(t *testing.T) {
		c := servertest.NewWire(t, g.dial())
		begun := time.Now()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
		if got := c.ReadAnswer("POST"); got.StatusCode != 408 || !got.Close {
			t.Errorf("status %d, want 408", got.StatusCode)
		}
		servertest.Took(t, begun, servertest.Short)
		c.WantClosed()
	})
	t.Run("behind the response's head", func(t *testing.T) {
		servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
			g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(timeout) }), Options{})
			g.serve(nil, app)
			c := g.wire()
			begun := time.Now()
			c.Send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
			if got := c.ReadAnswer("POST"); got.StatusCode != 200 || got.Cut == nil { // 408 where the Endpoint was late
				t.Errorf("status %d, %v, want a cut answer", got.StatusCode, got.Cut)
			}
			servertest.Took(t, begun, timeout)
		})
	})
	t.Run("slow but moving", func(t *testing.T) {
		servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
			g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(timeout) }), Options{})
			g.serve(nil, app)
			c := g.wire()
			c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
			sent, stop := 0, make(chan struct{})
			servertest.EveryTick(timeout/7, stop, func() {
				c.Send("x")
				if sent++; sent == 10 {
					close(stop)
				}
			})
			if got := c.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != "xxxxxxxxxx" {
				t.Errorf("got %d %q", got.StatusCode, got.Text)
			}
		})
	})
}

// TestReadTimeout bounds the wait for the Endpoint: 504 before the head, a cut behind it. A Route's Policy replaces the
// default.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	app := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		switch servertest.Target(c.Head()) {
		case "/part":
			c.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
		case "/half":
			c.Send("HTTP/1.1 200 OK\r\n")
		}
		c.Rest()
	})
	for _, byPolicy := range []bool{false, true} {
		servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
			var policy *asked.Policy
			g := newGateway(t, timeouts(func(o *config.Timeouts) {
				if !byPolicy {
					o.Read = config.Duration(timeout)
				}
			}), Options{})
			if byPolicy {
				policy = &asked.Policy{Limits: asked.Limits{Read: int64(timeout)}}
			}
			g.serve(policy, app)
			for _, path := range []string{"/nothing", "/half"} {
				c := g.wire()
				begun := time.Now()
				if got := c.Get(path); got.StatusCode != 504 || got.Close {
					t.Errorf("%s: status %d, close %v, want 504 on a connection that goes on", path, got.StatusCode, got.Close)
				}
				servertest.Took(t, begun, timeout)
				if got := c.Get(path); got.StatusCode != 504 {
					t.Errorf("%s: then status %d", path, got.StatusCode)
				}
			}
			begun := time.Now()
			if got := g.wire().Get("/part"); got.StatusCode != 200 || got.Cut == nil { // 504 where the Endpoint was late
				t.Errorf("/part: status %d, %v, want a cut answer", got.StatusCode, got.Cut)
			}
			servertest.Took(t, begun, timeout)
		})
	}
}

// TestReadTimeoutWhileTheRequestIsTaken: an Endpoint that reads nothing of a large body times out.
func TestReadTimeoutWhileTheRequestIsTaken(t *testing.T) {
	t.Parallel()
	for _, threshold := range []config.Size{0, 64 << 10} {
		set := timeouts(func(o *config.Timeouts) { o.Read = config.Duration(servertest.Short) })
		g := newGateway(t, func(c *config.Config) { set(c); c.HTTP.SpliceThreshold = threshold }, Options{})
		release := make(chan struct{})
		g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) { c.Head(); <-release }))
		c := g.wire()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
		go c.Write(make([]byte, 100_000_000))
		if got := c.ReadAnswer("POST"); got.StatusCode != 504 {
			t.Errorf("splice from %d: status %d %v, want 504", threshold, got.StatusCode, got.Cut)
		}
		close(release)
	}
}

// TestRequestTimeout bounds the whole exchange, however much it moves.
func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	app := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		if servertest.Target(c.Head()) == "/trickle" {
			c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			servertest.EveryTick(servertest.Short/7, stop, func() { c.Send("1\r\nx\r\n") })
		}
		<-stop
	})
	defer close(stop)
	servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
		g := newGateway(t, timeouts(func(*config.Timeouts) {}), Options{})
		g.serve(&asked.Policy{Limits: asked.Limits{Request: int64(timeout)}}, app)
		begun := time.Now()
		if got := g.wire().Get("/"); got.StatusCode != 504 {
			t.Errorf("status %d, want 504", got.StatusCode)
		}
		servertest.Took(t, begun, timeout)
		begun = time.Now()
		if got := g.wire().Get("/trickle"); got.StatusCode != 200 || got.Cut == nil { // 504 where the Endpoint was late
			t.Errorf("status %d, %v, want a cut answer", got.StatusCode, got.Cut)
		}
		servertest.Took(t, begun, timeout)
	})
}

// TestSendTimeout ends a client that does not read, with a reset, so that nothing lingers in the kernel for it, and frees
// the Endpoint.
func TestSendTimeout(t *testing.T) {
	t.Parallel()
	for _, threshold := range []config.Size{0, 64 << 10} {
		set := timeouts(func(o *config.Timeouts) { o.Send = config.Duration(servertest.Short) })
		g := newGateway(t, func(c *config.Config) { set(c); c.HTTP.SpliceThreshold = threshold }, Options{})
		ended := make(chan struct{})
		g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
			c.Head()
			c.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
			c.Write(make([]byte, 100_000_000))
			close(ended)
		}))
		c := g.wire()
		begun := time.Now()
		c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-ended
		servertest.Took(t, begun, servertest.Short)
		if text, reset := c.Rest(); !reset || len(text) > 90_000_000 {
			t.Errorf("splice from %d: %d bytes came, reset %v", threshold, len(text), reset)
		}
	}
}

// TestConnectTimeout uses a listener whose queue is full: its SYNs are dropped.
func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Connect = config.Duration(servertest.Short) }), Options{})
	full := servertest.FullListener(t)
	g.serve(nil, full)
	c := g.wire()
	begun := time.Now()
	got := c.Get("/")
	if got.StatusCode != 502 || !strings.Contains(got.Text, "timed out") {
		t.Errorf("got %d %q, want 502", got.StatusCode, got.Text)
	}
	// Two attempts: a connection that did not come about has sent nothing.
	servertest.Took(t, begun, 2*servertest.Short)
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) { // the other Endpoint has to be quick
		g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Connect = config.Duration(timeout) }), Options{})
		g.serve(nil, full, addr)
		c := g.wire()
		for i := range 4 {
			if got := c.Get(fmt.Sprint("/", i)); got.Text != "ok" {
				t.Errorf("with another Endpoint: %d %q", got.StatusCode, got.Text)
			}
		}
	})
}
