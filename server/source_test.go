package server

import (
	"fmt"
	"io"
	"net/netip"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// TestFilledByOneSource: a source that fills limits.connections, with whatever it does on its connections, keeps no other
// source out.
func TestFilledByOneSource(t *testing.T) {
	t.Parallel()
	const most = 50
	for _, row := range []struct {
		name string
		fill func(g *gateway, c *servertest.Wire)
		why  stats.Shed
	}{
		{"idle behind a response", func(g *gateway, c *servertest.Wire) { c.Get("/quick") }, stats.ShedFull},
		{"silent", func(*gateway, *servertest.Wire) {}, stats.ShedFull},
		{"part of a head", func(_ *gateway, c *servertest.Wire) { c.Send("GET / HTTP/1.1\r\nHost: a\r\nX: ") }, stats.ShedFull},
		{"HTTP/2 without a stream", func(_ *gateway, c *servertest.Wire) {
			_, _ = io.WriteString(c, http2.ClientPreface)
			_ = http2.NewFramer(c, c).WriteSettings()
			_, _ = io.ReadFull(c.R, make([]byte, 9))
		}, stats.ShedFull},
		{"body that does not come", func(_ *gateway, c *servertest.Wire) {
			c.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
		}, stats.ShedFull},
		{"response that is not read", func(_ *gateway, c *servertest.Wire) {
			_ = c.SetReadBuffer(1)
			c.Send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
			_, _ = c.R.ReadByte()
		}, stats.ShedFull},
	} {
		for _, share := range []int{most, most / 2} {
			t.Run(fmt.Sprintf("%s, %d of %d for each", row.name, share, most), func(t *testing.T) {
				t.Parallel()
				g := newGateway(t, func(c *config.Config) {
					c.Limits.Connections, c.Limits.ConnectionsPerSource = most, share
					c.HTTP.SpliceThreshold = 0
				}, Options{})
				g.serve(nil, servertest.EndlessBackend(t))
				for range most {
					row.fill(g, g.wireFrom(2))
				}
				g.settle()
				for _, n := range []byte{3, 4} {
					g.wantServed(n, 20)
				}
				// Five at a time, of one source: none of them is shed for another.
				var open []*servertest.Wire
				for range 5 {
					c := g.wireFrom(5)
					c.Get("/quick")
					open = append(open, c)
				}
				for _, c := range open {
					if got := c.Get("/quick"); got.StatusCode != 200 {
						t.Errorf("one of five got %d, %v", got.StatusCode, got.Cut)
					}
				}
				if _, n := g.connections(); n > most+most/16 {
					t.Errorf("%d connections are open", n)
				}
				if share == most && g.shedOf(row.why) == 0 {
					t.Error("none was shed")
				}
			})
		}
	}
}

// TestConnectionsPerSource: a source with as many connections as one may have gets another for an idle one of its own, and
// none where it has no idle one; others are not concerned, nor is a trusted peer bounded.
func TestConnectionsPerSource(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) {
		c.Limits.Connections, c.Limits.ConnectionsPerSource = 100, 4
		c.Forwarded.TrustedCIDRs = []string{"127.0.0.9"}
		c.Threads = 1
	}, Options{})
	g.serve(nil, servertest.EndlessBackend(t))
	var open []*servertest.Wire
	for range 4 {
		c := g.wireFrom(2)
		c.Get("/quick")
		open = append(open, c)
	}
	c := g.wireFrom(2)
	if got := c.Get("/quick"); got.StatusCode != 200 {
		t.Fatalf("a fifth got %d, %v", got.StatusCode, got.Cut)
	}
	open[0].WantClosed()
	for _, c := range append(open[1:], c) {
		c.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Head()
	}
	g.wireFrom(2).WantClosed()
	g.wantServed(3, 5)
	for range 10 {
		c := g.wireFrom(9)
		c.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Head()
	}
	if n := g.shedOf(stats.ShedSource); n != 2 {
		t.Errorf("%d were counted", n)
	}
}

// TestConnectionsPerNamedSource: behind the PROXY protocol the source is the client that is named.
func TestConnectionsPerNamedSource(t *testing.T) {
	t.Parallel()
	g := newProxiedGateway(t, func(c *config.Config) { c.Limits.Connections, c.Limits.ConnectionsPerSource = 100, 4 })
	g.serve(nil, servertest.EndlessBackend(t))
	named := func(client string) *servertest.Wire {
		c := g.wire()
		_ = c.SetLinger(0)
		_, _ = c.Write(proxyproto.AppendV1(nil, netip.MustParseAddrPort(client+":1000"), headerTo))
		return c
	}
	for range 4 {
		c := named("192.0.2.1")
		c.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Head()
	}
	c := named("192.0.2.1")
	c.Send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
	c.WantClosed()
	for i := range 10 {
		if got := named(fmt.Sprintf("192.0.2.%d", 2+i)).Get("/quick"); got.StatusCode != 200 {
			t.Errorf("another got %d, %v", got.StatusCode, got.Cut)
		}
	}
}

// TestRequestsPerSource: a source with as many requests in flight as one may have gets 429, on connections of either
// protocol, until one of them has ended; others are served.
func TestRequestsPerSource(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Limits.RequestsPerSource = 20 }, Options{})
	g.serve(nil, servertest.EndlessBackend(t))
	var held []*servertest.Wire
	for range 8 {
		c := g.wireFrom(2)
		c.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Head()
		held = append(held, c)
	}
	h := g.http2From(2)
	status := func(stream uint32) string {
		for {
			f, err := h.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := f.(*http2.HeadersFrame); ok && f.StreamID == stream {
				return h.Status(t, f)
			}
		}
	}
	for i := range 12 {
		h.Request(uint32(2*i+1), "GET", "/wait", true)
		if got := status(uint32(2*i + 1)); got != "200" {
			t.Fatalf("request %d of 20 got %s", 9+i, got)
		}
	}
	h.Request(101, "GET", "/wait", true)
	if got := status(101); got != "429" {
		t.Errorf("request 21 got %s", got)
	}
	extra := g.wireFrom(2)
	if got := extra.Get("/quick"); got.StatusCode != 429 {
		t.Errorf("and over HTTP/1.1 %d", got.StatusCode)
	}
	extra.Close()
	g.wantServed(3, 20)
	held[0].Close()
	servertest.Until(t, "the place of one that left", func() bool { c := g.wireFrom(2); defer c.Close(); return c.Get("/quick").StatusCode == 200 })
	_ = h.WriteRSTStream(1, http2.ErrCodeCancel)
	servertest.Until(t, "the place of a stream that was given up", func() bool { c := g.wireFrom(2); defer c.Close(); return c.Get("/quick").StatusCode == 200 })
	for _, c := range held {
		c.Close()
	}
	h.Close()
	g.wantNothingLeft()
}

// TestSourcesAreForgotten: the table has those with connections, and no others.
func TestSourcesAreForgotten(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.EndlessBackend(t))
	var open []*servertest.Wire
	for n := range 100 {
		c := g.wireFrom(byte(2 + n))
		c.Get("/quick")
		open = append(open, c)
	}
	if n := g.sources.Count(); n != 100 {
		t.Errorf("%d sources", n)
	}
	for _, c := range open {
		c.Close()
	}
	g.wantNothingLeft()
	// And those that serve again begin at nothing.
	for range 3 {
		g.wantServed(2, 3)
	}
	g.wantNothingLeft()
}
