package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
)

// short is the timeout under test, and long the others'. The wheel adds up to two ticks of 67 ms.
const (
	short = 150 * time.Millisecond
	long  = 30 * time.Second
)

// took checks that something ended by the short timeout: not before it, and long before any other.
func took(t *testing.T, begun time.Time) {
	t.Helper()
	if d := time.Since(begun); d < short-10*time.Millisecond || d > 20*short {
		t.Errorf("it took %v, want about %v", d, short)
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
func everyTick(stop chan struct{}, f func()) {
	tick := time.NewTicker(20 * time.Millisecond)
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
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Header = config.Duration(short) }), Options{})
	addr, _ := scripted(t, okResponse("ok"), false)
	g.serve(nil, addr)
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
			c := newWire(t, g.dial())
			begun := time.Now()
			if tt.served {
				c.get("/")
				begun = time.Now()
			}
			c.send(tt.first)
			stop := make(chan struct{})
			defer close(stop)
			if tt.trickle != "" {
				go everyTick(stop, func() { c.send(tt.trickle) })
			}
			if tt.answer {
				if got := c.read("GET"); got.StatusCode != 408 || !got.Close {
					t.Errorf("status %d, close %v, want 408", got.StatusCode, got.Close)
				}
			}
			c.wantClosed()
			took(t, begun)
			if got := newWire(t, g.dial()).get("/"); got.body != "ok" {
				t.Errorf("others get %d %q", got.StatusCode, got.body)
			}
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Idle = config.Duration(short) }), Options{})
	addr, _ := scripted(t, okResponse("ok"), false)
	g.serve(nil, addr)
	c := g.wire()
	c.get("/")
	begun := time.Now()
	c.wantClosed()
	took(t, begun)
}

// TestBodyTimeout bounds the wait for the next part of a body, whether or not the response has
// begun; a slow body that does come goes through.
func TestBodyTimeout(t *testing.T) {
	g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Body = config.Duration(short) }), Options{})
	g.serve(nil, rawBackend(t, func(_ int, c *wire) {
		head := c.head()
		if target(head) == "/early" {
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
		}
		c.send(okResponse(c.take(10)))
		c.rest()
	}))
	t.Run("before the response", func(t *testing.T) {
		c := newWire(t, g.dial())
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
		begun := time.Now()
		if got := c.read("POST"); got.StatusCode != 408 || !got.Close {
			t.Errorf("status %d, want 408", got.StatusCode)
		}
		took(t, begun)
		c.wantClosed()
	})
	t.Run("behind the response's head", func(t *testing.T) {
		c := newWire(t, g.dial())
		c.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
		begun := time.Now()
		if got := c.read("POST"); got.StatusCode != 200 || got.cut == nil {
			t.Errorf("status %d, %v, want a cut answer", got.StatusCode, got.cut)
		}
		took(t, begun)
	})
	t.Run("slow but moving", func(t *testing.T) {
		c := newWire(t, g.dial())
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
		sent, stop := 0, make(chan struct{})
		everyTick(stop, func() {
			c.send("x")
			if sent++; sent == 10 {
				close(stop)
			}
		})
		if got := c.read("POST"); got.StatusCode != 200 || got.body != "xxxxxxxxxx" {
			t.Errorf("got %d %q", got.StatusCode, got.body)
		}
	})
}

// TestReadTimeout bounds the wait for the Endpoint: 504 before the head, a cut behind it. A Route's
// Policy replaces the default.
func TestReadTimeout(t *testing.T) {
	for _, byPolicy := range []bool{false, true} {
		var policy *routing.Policy
		g := newGateway(t, timeouts(func(o *config.Timeouts) {
			if !byPolicy {
				o.Read = config.Duration(short)
			}
		}), Options{})
		if byPolicy {
			policy = &routing.Policy{ReadTimeout: int64(short)}
		}
		g.serve(policy, rawBackend(t, func(_ int, c *wire) {
			switch target(c.head()) {
			case "/part":
				c.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
			case "/half":
				c.send("HTTP/1.1 200 OK\r\n")
			}
			c.rest()
		}))
		for _, path := range []string{"/nothing", "/half"} {
			c := g.wire()
			begun := time.Now()
			if got := c.get(path); got.StatusCode != 504 || got.Close {
				t.Errorf("%s: status %d, close %v, want 504 on a connection that goes on", path, got.StatusCode, got.Close)
			}
			took(t, begun)
			if got := c.get(path); got.StatusCode != 504 {
				t.Errorf("%s: then status %d", path, got.StatusCode)
			}
		}
		begun := time.Now()
		if got := g.wire().get("/part"); got.StatusCode != 200 || got.cut == nil {
			t.Errorf("/part: status %d, %v, want a cut answer", got.StatusCode, got.cut)
		}
		took(t, begun)
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
	g := newGateway(t, timeouts(func(*config.Timeouts) {}), Options{})
	stop := make(chan struct{})
	defer close(stop)
	g.serve(&routing.Policy{RequestTimeout: int64(short)}, rawBackend(t, func(_ int, c *wire) {
		if target(c.head()) == "/trickle" {
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			everyTick(stop, func() { c.send("1\r\nx\r\n") })
		}
		<-stop
	}))
	begun := time.Now()
	if got := g.wire().get("/"); got.StatusCode != 504 {
		t.Errorf("status %d, want 504", got.StatusCode)
	}
	took(t, begun)
	begun = time.Now()
	if got := g.wire().get("/trickle"); got.StatusCode != 200 || got.cut == nil {
		t.Errorf("status %d, %v, want a cut answer", got.StatusCode, got.cut)
	}
	took(t, begun)
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
		took(t, begun)
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
	if d := time.Since(begun); d < 2*short-20*time.Millisecond || d > 20*short {
		t.Errorf("it took %v, want about twice %v", d, short)
	}
	addr, _ := scripted(t, okResponse("ok"), false)
	g.serve(nil, full, addr)
	for i := range 4 {
		if got := c.get(fmt.Sprint("/", i)); got.body != "ok" {
			t.Errorf("with another Endpoint: %d %q", got.StatusCode, got.body)
		}
	}
}
