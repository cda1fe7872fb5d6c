package server

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
)

const (
	upgradeRequest  = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhl\r\n\r\n"
	upgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: czNw\r\n\r\n"
)

// upgraded is a Backend that answers 101 and then gives the connection to f.
func upgraded(t testing.TB, f func(c *wire)) string {
	return rawBackend(t, func(_ int, c *wire) {
		head := c.head()
		if !strings.Contains(head, "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n") {
			t.Errorf("the Backend saw %q", head)
		}
		c.send(upgradeResponse)
		f(c)
	})
}

func echo(c *wire) {
	io.Copy(c.TCPConn, c.r)
	c.CloseWrite()
}

func (w *wire) want101() {
	w.t.Helper()
	head := w.head()
	for _, line := range []string{"HTTP/1.1 101 Switching Protocols\r\n", "\r\nConnection: upgrade\r\n", "\r\nUpgrade: websocket\r\n", "\r\nSec-WebSocket-Accept: czNw\r\n"} {
		if !strings.Contains(head, line) {
			w.t.Fatalf("%q lacks %q", head, line)
		}
	}
}

// TestTunnel echoes through a tunnel: small and large pieces, bytes behind the request's head, and
// each side's end, which is passed on without cutting the other direction.
func TestTunnel(t *testing.T) {
	g := newGateway(t, nil, Options{})
	g.serve(nil, upgraded(t, echo))
	t.Run("pieces", func(t *testing.T) {
		c := newWire(t, g.dial())
		c.send(upgradeRequest)
		c.want101()
		for range 100 {
			c.send("ping")
			c.exactly("ping")
		}
		c.CloseWrite()
		c.wantClosed()
	})
	t.Run("large", func(t *testing.T) {
		c := newWire(t, g.dial())
		c.send(upgradeRequest)
		c.want101()
		data := pattern(20 << 20)
		go func() { c.Write(data); c.CloseWrite() }()
		got, err := io.ReadAll(c.r)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
	t.Run("early bytes", func(t *testing.T) {
		c := newWire(t, g.dial())
		c.send(upgradeRequest + "early")
		c.want101()
		c.exactly("early")
		c.CloseWrite()
		c.wantClosed()
	})
	t.Run("bytes with the head of the answer", func(t *testing.T) {
		h := newGateway(t, nil, Options{})
		h.serve(nil, rawBackend(t, func(_ int, c *wire) {
			c.head()
			c.send(upgradeResponse + "hello")
			echo(c)
		}))
		c := newWire(t, h.dial())
		c.send(upgradeRequest)
		c.want101()
		c.exactly("hello")
	})
}

// TestTunnelHalfClose: one side's end becomes the other's, and the other direction goes on.
func TestTunnelHalfClose(t *testing.T) {
	t.Run("client first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.serve(nil, upgraded(t, func(c *wire) {
			text, reset := c.rest()
			c.send("you said %q, reset %v", text, reset)
		}))
		c := g.wire()
		c.send(upgradeRequest)
		c.want101()
		c.send("bye")
		c.CloseWrite()
		if text, reset := c.rest(); text != `you said "bye", reset false` || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
	})
	t.Run("Backend first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		heard := make(chan string, 1)
		g.serve(nil, upgraded(t, func(c *wire) {
			c.send("bye")
			c.CloseWrite()
			text, _ := c.rest()
			heard <- text
		}))
		c := g.wire()
		c.send(upgradeRequest)
		c.want101()
		if text, reset := c.rest(); text != "bye" || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
		c.send("and you")
		c.CloseWrite()
		if got := <-heard; got != "and you" {
			t.Errorf("the Backend heard %q", got)
		}
	})
	t.Run("Backend resets", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.serve(nil, upgraded(t, func(c *wire) {
			c.take(2)
			c.SetLinger(0)
		}))
		c := g.wire()
		c.send(upgradeRequest)
		c.want101()
		c.send("go")
		if _, reset := c.rest(); !reset {
			t.Error("the reset became an orderly end")
		}
	})
}

// TestTunnelBackpressure: a side that does not read holds the other up, and nobody else.
func TestTunnelBackpressure(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	release := make(chan struct{})
	const size = 96 << 20
	g.serve(nil, upgraded(t, func(c *wire) {
		<-release
		echo(c)
	}))
	c := g.wire()
	c.send(upgradeRequest)
	c.want101()
	pushed := pushUntilFull(c, size)
	if pushed > kernelBuffers {
		t.Errorf("%d MiB went into a tunnel whose other end reads nothing", pushed>>20)
	}
	other := g.wire()
	other.send(upgradeRequest)
	other.want101()
	close(release)
	other.send("ping")
	other.exactly("ping")
	c.SetWriteDeadline(time.Now().Add(wireTimeout))
	go c.CloseWrite()
	if n, err := io.Copy(io.Discard, c.r); n != int64(pushed) || err != nil {
		t.Errorf("%d bytes of %d came back, %v", n, pushed, err)
	}
}

// pushUntilFull writes up to most bytes until the peer has taken none for a while, and returns how
// many it took.
func pushUntilFull(c *wire, most int) (n int) {
	piece := make([]byte, 256<<10)
	for n < most {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		k, err := c.Write(piece[:min(len(piece), most-n)])
		n += k
		if err != nil {
			return n
		}
	}
	return n
}

// TestTunnelIdleTimeout ends a tunnel in which nothing moves, and only such a one.
func TestTunnelIdleTimeout(t *testing.T) {
	app := upgraded(t, echo)
	play(t, func(t *scene, timeout time.Duration) {
		g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Tunnel = config.Duration(timeout) }), Options{})
		g.serve(nil, app)
		c := g.wire()
		c.send(upgradeRequest)
		c.want101()
		stop := make(chan struct{})
		begun := time.Now()
		last := begun
		everyTick(timeout/7, stop, func() {
			last = time.Now()
			c.send("x")
			c.exactly("x")
			if time.Since(begun) > 4*timeout {
				close(stop)
			}
		})
		c.wantClosed()
		took(t, last, timeout)
	})
}

// TestUpgradeRefused: an answer other than 101 has its ordinary meaning, on a connection that goes on
// with what the client pipelined.
func TestUpgradeRefused(t *testing.T) {
	g := newGateway(t, nil, Options{})
	addr, heads := scripted(t, okResponse("plain"), false)
	g.serve(nil, addr)
	c := g.wire()
	c.send(upgradeRequest + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		if got := c.read("GET"); got.StatusCode != 200 || got.body != "plain" || got.Close {
			t.Errorf("got %d %q, close %v", got.StatusCode, got.body, got.Close)
		}
	}
	if head := <-heads; target(head) != "/chat" {
		t.Errorf("the Backend saw %q", head)
	}
	if head := <-heads; target(head) != "/next" || strings.Contains(head, "pgrade") {
		t.Errorf("the Backend saw %q", head)
	}
}

// TestTunnelSurvivesSnapshots: its Endpoint may leave, and all Routes; the tunnel stays.
func TestTunnelSurvivesSnapshots(t *testing.T) {
	g := newGateway(t, nil, Options{})
	g.serve(nil, upgraded(t, echo))
	c := g.wire()
	c.send(upgradeRequest)
	c.want101()
	for range 5 {
		g.serve(nil, "127.0.0.1:1")
		g.settle()
		c.send("ping")
		c.exactly("ping")
		g.serve(nil)
		g.settle()
	}
	c.CloseWrite()
	c.wantClosed()
}
