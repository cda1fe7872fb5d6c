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
	UpgradeRequest  = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhl\r\n\r\n"
	UpgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: czNw\r\n\r\n"
)

// UpgradedBackend is a Backend that answers 101 and then gives the connection to f.
func UpgradedBackend(t testing.TB, f func(c *Wire)) string {
	return RawBackend(t, func(_ int, c *Wire) {
		head := c.Head()
		if !strings.Contains(head, "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n") {
			t.Errorf("the Backend saw %q", head)
		}
		c.Send(UpgradeResponse)
		f(c)
	})
}

func Echo(c *Wire) {
	io.Copy(c.TCPConn, c.R)
	c.CloseWrite()
}

func (w *Wire) Want101() {
	w.t.Helper()
	head := w.Head()
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
	g.serve(nil, UpgradedBackend(t, Echo))
	t.Run("pieces", func(t *testing.T) {
		c := NewWire(t, g.dial())
		c.Send(UpgradeRequest)
		c.Want101()
		for range 100 {
			c.Send("ping")
			c.Exactly("ping")
		}
		c.CloseWrite()
		c.WantClosed()
	})
	t.Run("large", func(t *testing.T) {
		c := NewWire(t, g.dial())
		c.Send(UpgradeRequest)
		c.Want101()
		data := Pattern(20 << 20)
		go func() { c.Write(data); c.CloseWrite() }()
		got, err := io.ReadAll(c.R)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
	t.Run("early bytes", func(t *testing.T) {
		c := NewWire(t, g.dial())
		c.Send(UpgradeRequest + "early")
		c.Want101()
		c.Exactly("early")
		c.CloseWrite()
		c.WantClosed()
	})
	t.Run("bytes with the head of the answer", func(t *testing.T) {
		h := newGateway(t, nil, Options{})
		h.serve(nil, RawBackend(t, func(_ int, c *Wire) {
			c.Head()
			c.Send(UpgradeResponse + "hello")
			Echo(c)
		}))
		c := NewWire(t, h.dial())
		c.Send(UpgradeRequest)
		c.Want101()
		c.Exactly("hello")
	})
}

// TestTunnelHalfClose: one side's end becomes the other's, and the other direction goes on.
func TestTunnelHalfClose(t *testing.T) {
	t.Run("client first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.serve(nil, UpgradedBackend(t, func(c *Wire) {
			text, reset := c.Rest()
			c.Send("you said %q, reset %v", text, reset)
		}))
		c := g.wire()
		c.Send(UpgradeRequest)
		c.Want101()
		c.Send("bye")
		c.CloseWrite()
		if text, reset := c.Rest(); text != `you said "bye", reset false` || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
	})
	t.Run("Backend first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		heard := make(chan string, 1)
		g.serve(nil, UpgradedBackend(t, func(c *Wire) {
			c.Send("bye")
			c.CloseWrite()
			text, _ := c.Rest()
			heard <- text
		}))
		c := g.wire()
		c.Send(UpgradeRequest)
		c.Want101()
		if text, reset := c.Rest(); text != "bye" || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
		c.Send("and you")
		c.CloseWrite()
		if got := <-heard; got != "and you" {
			t.Errorf("the Backend heard %q", got)
		}
	})
	t.Run("Backend resets", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.serve(nil, UpgradedBackend(t, func(c *Wire) {
			c.Take(2)
			c.SetLinger(0)
		}))
		c := g.wire()
		c.Send(UpgradeRequest)
		c.Want101()
		c.Send("go")
		if _, reset := c.Rest(); !reset {
			t.Error("the reset became an orderly end")
		}
	})
}

// TestTunnelBackpressure: a side that does not read holds the other up, and nobody else.
func TestTunnelBackpressure(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	release := make(chan struct{})
	const size = 96 << 20
	g.serve(nil, UpgradedBackend(t, func(c *Wire) {
		<-release
		Echo(c)
	}))
	c := g.wire()
	c.Send(UpgradeRequest)
	c.Want101()
	pushed := PushUntilFull(c, size)
	if pushed > kernelBuffers {
		t.Errorf("%d MiB went into a tunnel whose other end reads nothing", pushed>>20)
	}
	other := g.wire()
	other.Send(UpgradeRequest)
	other.Want101()
	close(release)
	other.Send("ping")
	other.Exactly("ping")
	c.SetWriteDeadline(time.Now().Add(Timeout))
	go c.CloseWrite()
	if n, err := io.Copy(io.Discard, c.R); n != int64(pushed) || err != nil {
		t.Errorf("%d bytes of %d came back, %v", n, pushed, err)
	}
}

// PushUntilFull writes up to most bytes until the peer has taken none for a while, and returns how
// many it took.
func PushUntilFull(c *Wire, most int) (n int) {
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
	app := UpgradedBackend(t, Echo)
	Retry(t, func(t *Try, timeout time.Duration) {
		g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Tunnel = config.Duration(timeout) }), Options{})
		g.serve(nil, app)
		c := g.wire()
		c.Send(UpgradeRequest)
		c.Want101()
		stop := make(chan struct{})
		begun := time.Now()
		last := begun
		EveryTick(timeout/7, stop, func() {
			last = time.Now()
			c.Send("x")
			c.Exactly("x")
			if time.Since(begun) > 4*timeout {
				close(stop)
			}
		})
		c.WantClosed()
		Took(t, last, timeout)
	})
}

// TestUpgradeRefused: an answer other than 101 has its ordinary meaning, on a connection that goes on
// with what the client pipelined.
func TestUpgradeRefused(t *testing.T) {
	g := newGateway(t, nil, Options{})
	addr, heads := ScriptedBackend(t, OKResponse("plain"), false)
	g.serve(nil, addr)
	c := g.wire()
	c.Send(UpgradeRequest + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.Text != "plain" || got.Close {
			t.Errorf("got %d %q, close %v", got.StatusCode, got.Text, got.Close)
		}
	}
	if head := <-heads; Target(head) != "/chat" {
		t.Errorf("the Backend saw %q", head)
	}
	if head := <-heads; Target(head) != "/next" || strings.Contains(head, "pgrade") {
		t.Errorf("the Backend saw %q", head)
	}
}

// TestTunnelSurvivesSnapshots: its Endpoint may leave, and all Routes; the tunnel stays.
func TestTunnelSurvivesSnapshots(t *testing.T) {
	g := newGateway(t, nil, Options{})
	g.serve(nil, UpgradedBackend(t, Echo))
	c := g.wire()
	c.Send(UpgradeRequest)
	c.Want101()
	for range 5 {
		g.serve(nil, "127.0.0.1:1")
		g.settle()
		c.Send("ping")
		c.Exactly("ping")
		g.serve(nil)
		g.settle()
	}
	c.CloseWrite()
	c.WantClosed()
}
