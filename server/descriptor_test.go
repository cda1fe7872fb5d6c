package server

import (
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// TestDescriptorsOfStalledRequests: two sources that together could take all connections to Endpoints, and read nothing of
// their responses, leave enough for others.
func TestDescriptorsOfStalledRequests(t *testing.T) {
	t.Parallel()
	const most = 64
	for _, row := range []struct {
		name string
		hold func(g *gateway, n byte, i int)
	}{
		{"HTTP/2 streams without a window", func(g *gateway, n byte, _ int) {
			c := g.http2From(n, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			for i := range 10 {
				c.Request(uint32(2*i+1), "GET", "/endless", true)
			}
		}},
		{"HTTP/2 bodies that do not come", func(g *gateway, n byte, _ int) {
			c := g.http2From(n)
			for i := range 10 {
				c.Request(uint32(2*i+1), "POST", "/", false, "content-length", "10")
			}
		}},
		{"HTTP/1.1 bodies that do not come", func(g *gateway, n byte, _ int) {
			for range 10 {
				g.wireFrom(n).Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) { c.HTTP.SpliceThreshold = 0 }, Options{})
			g.serve(nil, servertest.EndlessBackend(t))
			g.narrow(func(c *down.Capacity) { c.Descriptors, c.Requests = most, most/2 })
			for i := range 12 {
				row.hold(g, byte(2+i%2), i)
				g.settle()
				g.wantServed(9, 3)
			}
			if n := g.peers.Descriptors(); n > most {
				t.Errorf("%d descriptors are in use, %d may be", n, most)
			}
			if g.shedOf(stats.ShedDescriptors) == 0 {
				t.Error("none was shed")
			}
			g.wantServed(9, 20)
		})
	}
}

// TestDescriptorsOfIdleConnections: idle connections to Endpoints are closed before a request is refused.
func TestDescriptorsOfIdleConnections(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	app := servertest.EndlessBackend(t)
	g.serve(nil, app)
	g.narrow(func(c *down.Capacity) { c.Descriptors = 16 })
	var all []*servertest.Wire
	for range 12 {
		c := g.wireFrom(2)
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
		all = append(all, c)
	}
	g.settle()
	for _, c := range all {
		c.Send("x")
		if got := c.ReadAnswer("POST"); got.StatusCode != 200 {
			t.Fatalf("got %d, %v", got.StatusCode, got.Cut)
		}
	}
	g.serve(nil, app, servertest.EndlessBackend(t)) // another Endpoint, which none of them is to
	for range 40 {
		g.wantServed(3, 1)
	}
	if n := g.peers.Descriptors(); n > 16 {
		t.Errorf("%d descriptors are in use", n)
	}
}

// TestStalledStreams: streams that wait for a window that their client does not open, beyond those that one connection may
// have, are reset after the grace; the others of the connection go on, and so does a stream that moves.
func TestStalledStreams(t *testing.T) {
	t.Parallel()
	const may, streams = 4, 12
	g := newGateway(t, func(c *config.Config) { c.HTTP2.StalledStreams = may }, Options{})
	g.serve(nil, servertest.EndlessBackend(t))
	c := g.http2From(2, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range streams {
		c.Request(uint32(2*i+1), "GET", "/endless", true)
	}
	reset := 0
	for reset < streams-may {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("after %d resets: %v", reset, err)
		}
		if f, ok := f.(*http2.RSTStreamFrame); ok {
			if f.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("reset with %v", f.ErrCode)
			}
			reset++
		}
	}
	g.settle()
	if n := g.shedOf(stats.ShedStalled); n != streams-may {
		t.Errorf("%d were reset", n)
	}
	if n := g.upstreamConns(); n != may {
		t.Errorf("%d connections to the Endpoint are held", n)
	}
	c.Request(101, "GET", "/quick", true)
	_ = c.WriteWindowUpdate(101, 100)
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := f.(*http2.DataFrame); ok && f.StreamID == 101 && f.StreamEnded() {
			break
		}
	}
}
