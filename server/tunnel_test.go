package server

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestTunnel echoes through a tunnel: small and large pieces, bytes behind the request's head, and each side's end, which is
// passed on without cutting the other direction.
func TestTunnel(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.UpgradedBackend(t, servertest.Echo))
	t.Run("pieces", func(t *testing.T) {
		c := servertest.NewWire(t, g.dial())
		c.Send(servertest.UpgradeRequest)
		c.Want101()
		for range 100 {
			c.Send("ping")
			c.Exactly("ping")
		}
		c.CloseWrite()
		c.WantClosed()
	})
	t.Run("large", func(t *testing.T) {
		c := servertest.NewWire(t, g.dial())
		c.Send(servertest.UpgradeRequest)
		c.Want101()
		data := servertest.Pattern(20 << 20)
		go func() { c.Write(data); c.CloseWrite() }()
		got, err := io.ReadAll(c.R)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
	t.Run("early bytes", func(t *testing.T) {
		c := servertest.NewWire(t, g.dial())
		c.Send(servertest.UpgradeRequest + "early")
		c.Want101()
		c.Exactly("early")
		c.CloseWrite()
		c.WantClosed()
	})
	t.Run("bytes with the head of the answer", func(t *testing.T) {
		h := newGateway(t, nil, Options{})
		h.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
			c.Head()
			c.Send(servertest.UpgradeResponse + "hello")
			servertest.Echo(c)
		}))
		c := servertest.NewWire(t, h.dial())
		c.Send(servertest.UpgradeRequest)
		c.Want101()
		c.Exactly("hello")
	})
}

// TestTunnelHalfClose: one side's end becomes the other's, and the other direction goes on.
func TestTunnelHalfClose(t *testing.T) {
	t.Parallel()
	t.Run("client first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.serve(nil, servertest.UpgradedBackend(t, func(c *servertest.Wire) {
			text, reset := c.Rest()
			c.Send("you said %q, reset %v", text, reset)
		}))
		c := g.wire()
		c.Send(servertest.UpgradeRequest)
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
		g.serve(nil, servertest.UpgradedBackend(t, func(c *servertest.Wire) {
			c.Send("bye")
			c.CloseWrite()
			text, _ := c.Rest()
			heard <- text
		}))
		c := g.wire()
		c.Send(servertest.UpgradeRequest)
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
		g.serve(nil, servertest.UpgradedBackend(t, func(c *servertest.Wire) {
			c.Take(2)
			c.SetLinger(0)
		}))
		c := g.wire()
		c.Send(servertest.UpgradeRequest)
		c.Want101()
		c.Send("go")
		if _, reset := c.Rest(); !reset {
			t.Error("the reset became an orderly end")
		}
	})
}

// TestTunnelBackpressure: a side that does not read stops the other side, and no other connection.
func TestTunnelBackpressure(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	release := make(chan struct{})
	const size = 96 << 20
	g.serve(nil, servertest.UpgradedBackend(t, func(c *servertest.Wire) {
		<-release
		servertest.Echo(c)
	}))
	c := g.wire()
	c.Send(servertest.UpgradeRequest)
	c.Want101()
	pushed := servertest.PushUntilFull(c, size)
	if pushed > kernelBuffers {
		t.Errorf("%d MiB went into a tunnel whose other end reads nothing", pushed>>20)
	}
	other := g.wire()
	other.Send(servertest.UpgradeRequest)
	other.Want101()
	close(release)
	other.Send("ping")
	other.Exactly("ping")
	c.SetWriteDeadline(time.Now().Add(servertest.Timeout))
	go c.CloseWrite()
	if n, err := io.Copy(io.Discard, c.R); n != int64(pushed) || err != nil {
		t.Errorf("%d bytes of %d came back, %v", n, pushed, err)
	}
}

// TestTunnelIdleTimeout ends a tunnel in which nothing moves, and only such a one.
func TestTunnelIdleTimeout(t *testing.T) {
	t.Parallel()
	app := servertest.UpgradedBackend(t, servertest.Echo)
	servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
		g := newGateway(t, timeouts(func(o *config.Timeouts) { o.Tunnel = config.Duration(timeout) }), Options{})
		g.serve(nil, app)
		c := g.wire()
		c.Send(servertest.UpgradeRequest)
		c.Want101()
		stop := make(chan struct{})
		begun := time.Now()
		last := begun
		servertest.EveryTick(timeout/7, stop, func() {
			last = time.Now()
			c.Send("x")
			c.Exactly("x")
			if time.Since(begun) > 4*timeout {
				close(stop)
			}
		})
		c.WantClosed()
		servertest.Took(t, last, timeout)
	})
}

// TestUpgradeRefused: an answer other than 101 has its ordinary meaning, on a connection that goes on with what the client
// pipelined.
func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	addr, heads := servertest.ScriptedBackend(t, servertest.OKResponse("plain"), false)
	g.serve(nil, addr)
	c := g.wire()
	c.Send(servertest.UpgradeRequest + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.Text != "plain" || got.Close {
			t.Errorf("got %d %q, close %v", got.StatusCode, got.Text, got.Close)
		}
	}
	if head := <-heads; servertest.Target(head) != "/chat" {
		t.Errorf("the Backend saw %q", head)
	}
	if head := <-heads; servertest.Target(head) != "/next" || strings.Contains(head, "pgrade") {
		t.Errorf("the Backend saw %q", head)
	}
}

// TestTunnelSurvivesSnapshots: its Endpoint may leave, and all Routes; the tunnel stays.
func TestTunnelSurvivesSnapshots(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.UpgradedBackend(t, servertest.Echo))
	c := g.wire()
	c.Send(servertest.UpgradeRequest)
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
