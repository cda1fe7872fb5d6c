package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
)

// short is the timeout under test, and long the others'. The wheel adds up to two ticks of 67 ms.
const (
	short = 150 * time.Millisecond
	long  = time.Hour
)

// took checks that something ended by its timeout: not before it, and long before any other. begun must
// be before the gateway could begin to count: what a peer sees, it sees late. Where nothing ends, the
// peer gives up after wireTimeout.
func took(t testing.TB, begun time.Time, timeout time.Duration) {
	t.Helper()
	if d := time.Since(begun); d < timeout-10*time.Millisecond || d > wireTimeout/2 {
		t.Errorf("it took %v, want about %v", d, timeout)
	}
}

func timeouts(change func(*config.Timeouts)) func(*config.Config) {
	return func(c *config.Config) {
		for _, d := range []*config.Duration{&c.Timeouts.Header, &c.Timeouts.Body, &c.Timeouts.Idle, &c.Timeouts.Connect, &c.Timeouts.Read, &c.Timeouts.Send} {
			*d = config.Duration(long)
		}
		c.Limits.BodyBytes = 0
		change(&c.Timeouts)
	}
}

// everyTick calls f again and again until stop is closed: a peer that trickles.
func everyTick(pause time.Duration, stop chan struct{}, f func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			select {
			case <-stop: // both were ready
				return
			default:
			}
			f()
		}
	}
}

// TestHeaderTimeout bounds the whole head: silence, a part, and a trickle of bytes end alike, on a new
// connection and on one that has served.
func TestHeaderTimeout(t *testing.T) {
	addr, _ := scripted(t, okResponse("ok"), false)
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
			play(t, func(t *scene, timeout time.Duration) {
				g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Header = config.Duration(timeout) }), Options{})
				g.serve(nil, addr)
				begun := time.Now()
				c := g.wire()
				if tt.served {
					begun = time.Now()
					c.get("/")
				}
				c.send(tt.first)
				stop := make(chan struct{})
				defer close(stop)
				if tt.trickle != "" {
					go everyTick(timeout/7, stop, func() { c.send(tt.trickle) })
				}
				if tt.answer {
					if got := c.read("GET"); got.StatusCode != 408 || !got.Close {
						t.Errorf("status %d, close %v, want 408", got.StatusCode, got.Close)
					}
				}
				c.wantClosed()
				took(t, begun, timeout)
				if got := g.wire().get("/"); got.body != "ok" {
					t.Errorf("others get %d %q", got.StatusCode, got.body)
				}
			})
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Idle = config.Duration(short) }), Options{})
	addr, _ := scripted(t, okResponse("ok"), false)
	g.serve(nil, addr)
	c := g.wire()
	begun := time.Now()
	c.get("/")
	c.wantClosed()
	took(t, begun, short)
}

// TestBodyTimeout bounds the wait for the next part of a body, whether or not the response has
// begun; a slow body that does come goes through.
func TestBodyTimeout(t *testing.T) {
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(short) }), Options{})
	app := rawBackend(t, func(_ int, c *wire) {
		head := c.head()
		if target(head) == "/early" {
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
		}
		c.send(okResponse(c.take(10)))
		c.rest()
	})
	g.serve(nil, app)
	t.Run("before the response", func(t *testing.T) {
		c := newWire(t, g.dial())
		begun := time.Now()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
		if got := c.read("POST"); got.StatusCode != 408 || !got.Close {
			t.Errorf("status %d, want 408", got.StatusCode)
		}
		took(t, begun, short)
		c.wantClosed()
	})
	t.Run("behind the response's head", func(t *testing.T) {
		play(t, func(t *scene, timeout time.Duration) {
			g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(timeout) }), Options{})
			g.serve(nil, app)
			c := g.wire()
			begun := time.Now()
			c.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
			if got := c.read("POST"); got.StatusCode != 200 || got.cut == nil { // 408 where the Endpoint was late
				t.Errorf("status %d, %v, want a cut answer", got.StatusCode, got.cut)
			}
			took(t, begun, timeout)
		})
	})
	t.Run("slow but moving", func(t *testing.T) {
		play(t, func(t *scene, timeout time.Duration) {
			g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(timeout) }), Options{})
			g.serve(nil, app)
			c := g.wire()
			c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
			sent, stop := 0, make(chan struct{})
			everyTick(timeout/7, stop, func() {
				c.send("x")
				if sent++; sent == 10 {
					close(stop)
				}
			})
			if got := c.read("POST"); got.StatusCode != 200 || got.body != "xxxxxxxxxx" {
				t.Errorf("got %d %q", got.StatusCode, got.body)
			}
		})
	})
}

// TestReadTimeout bounds the wait for the Endpoint: 504 before the head, a cut behind it. A Route's
// Policy replaces the default.
func TestReadTimeout(t *testing.T) {
	app := rawBackend(t, func(_ int, c *wire) {
		switch target(c.head()) {
		case "/part":
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
		case "/half":
			c.send("HTTP/1.1 200 OK\r\n")
		}
		c.rest()
	})
	for _, byPolicy := range []bool{false, true} {
		play(t, func(t *scene, timeout time.Duration) {
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
				if got := c.get(path); got.StatusCode != 504 || got.Close {
					t.Errorf("%s: status %d, close %v, want 504 on a connection that goes on", path, got.StatusCode, got.Close)
				}
				took(t, begun, timeout)
				if got := c.get(path); got.StatusCode != 504 {
					t.Errorf("%s: then status %d", path, got.StatusCode)
				}
			}
			begun := time.Now()
			if got := g.wire().get("/part"); got.StatusCode != 200 || got.cut == nil { // 504 where the Endpoint was late
				t.Errorf("/part: status %d, %v, want a cut answer", got.StatusCode, got.cut)
			}
			took(t, begun, timeout)
		})
	}
}

// TestReadTimeoutWhileTheRequestIsTaken: an Endpoint that reads nothing of a large body times out.
func TestReadTimeoutWhileTheRequestIsTaken(t *testing.T) {
	for _, threshold := range []config.Size{0, 64 << 10} {
		set := timeouts(func(o *config.Timeouts) { o.Read = config.Duration(short) })
		g := newGateway(t, func(c *config.Config) { set(c); c.HTTP.SpliceThreshold = threshold }, Options{})
		release := make(chan struct{})
		g.serve(nil, rawBackend(t, func(_ int, c *wire) { c.head(); <-release }))
		c := g.wire()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
		go c.Write(make([]byte, 100_000_000))
		if got := c.read("POST"); got.StatusCode != 504 {
			t.Errorf("splice from %d: status %d %v, want 504", threshold, got.StatusCode, got.cut)
		}
		close(release)
	}
}

// TestRequestTimeout bounds the whole exchange, however much it moves.
func TestRequestTimeout(t *testing.T) {
	stop := make(chan struct{})
	app := rawBackend(t, func(_ int, c *wire) {
		if target(c.head()) == "/trickle" {
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			everyTick(short/7, stop, func() { c.send("1\r\nx\r\n") })
		}
		<-stop
	})
	defer close(stop)
	play(t, func(t *scene, timeout time.Duration) {
		g := newGateway(t, timeouts(func(*config.Timeouts) {}), Options{})
		g.serve(&asked.Policy{Limits: asked.Limits{Request: int64(timeout)}}, app)
		begun := time.Now()
		if got := g.wire().get("/"); got.StatusCode != 504 {
			t.Errorf("status %d, want 504", got.StatusCode)
		}
		took(t, begun, timeout)
		begun = time.Now()
		if got := g.wire().get("/trickle"); got.StatusCode != 200 || got.cut == nil { // 504 where the Endpoint was late
			t.Errorf("status %d, %v, want a cut answer", got.StatusCode, got.cut)
		}
		took(t, begun, timeout)
	})
}

// TestSendTimeout ends a client that does not read, with a reset, so that nothing lingers in the
// kernel for it, and frees the Endpoint.
func TestSendTimeout(t *testing.T) {
	for _, threshold := range []config.Size{0, 64 << 10} {
		set := timeouts(func(o *config.Timeouts) { o.Send = config.Duration(short) })
		g := newGateway(t, func(c *config.Config) { set(c); c.HTTP.SpliceThreshold = threshold }, Options{})
		ended := make(chan struct{})
		g.serve(nil, rawBackend(t, func(_ int, c *wire) {
			c.head()
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
			c.Write(make([]byte, 100_000_000))
			close(ended)
		}))
		c := g.wire()
		begun := time.Now()
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-ended
		took(t, begun, short)
		if text, reset := c.rest(); !reset || len(text) > 90_000_000 {
			t.Errorf("splice from %d: %d bytes came, reset %v", threshold, len(text), reset)
		}
	}
}

// TestConnectTimeout uses a listener whose queue is full: its SYNs are dropped.
func TestConnectTimeout(t *testing.T) {
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Connect = config.Duration(short) }), Options{})
	full := fullListener(t)
	g.serve(nil, full)
	c := g.wire()
	begun := time.Now()
	got := c.get("/")
	if got.StatusCode != 502 || !strings.Contains(got.body, "timed out") {
		t.Errorf("got %d %q, want 502", got.StatusCode, got.body)
	}
	// Two attempts: a connection that did not come about has sent nothing.
	took(t, begun, 2*short)
	addr, _ := scripted(t, okResponse("ok"), false)
	play(t, func(t *scene, timeout time.Duration) { // the other Endpoint has to be quick
		g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Connect = config.Duration(timeout) }), Options{})
		g.serve(nil, full, addr)
		c := g.wire()
		for i := range 4 {
			if got := c.get(fmt.Sprint("/", i)); got.body != "ok" {
				t.Errorf("with another Endpoint: %d %q", got.StatusCode, got.body)
			}
		}
	})
}
