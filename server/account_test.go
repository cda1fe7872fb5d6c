package server

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// deafBackend speaks HTTP/2 by prior knowledge: it answers /quick, and takes no byte of any other request's body although
// its windows are open.
func deafBackend(t testing.TB) string {
	return servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			_, _ = io.WriteString(w, "ok")
			return
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
}

// TestBufferedBytes: clients that have the gateway hold as much as their protocol allows, in either direction, are shed,
// those that hold most first, before more than limits.buffered_bytes waits, and others are served meanwhile. With the
// clients gone nothing is counted any more.
func TestBufferedBytes(t *testing.T) {
	t.Parallel()
	const bound, clients = 2 << 20, 40
	for _, row := range []struct {
		name    string
		backend func(testing.TB) string
		http2   bool // Endpoint
		greed   func(t *testing.T, g *gateway, n byte)
	}{
		{"HTTP/2 streams without a window", servertest.EndlessBackend, false, func(t *testing.T, g *gateway, n byte) {
			c := g.http2From(n, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			for i := range 8 {
				c.Request(uint32(2*i+1), "GET", "/endless", true)
			}
		}},
		{"HTTP/2 that does not read its socket", servertest.EndlessBackend, false, func(t *testing.T, g *gateway, n byte) {
			c := g.http2From(n, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			_ = c.WriteWindowUpdate(0, 1<<30)
			for i := range 8 {
				c.Request(uint32(2*i+1), "GET", "/endless", true)
			}
		}},
		{"bodies for an Endpoint that takes nothing", deafBackend, true, func(t *testing.T, g *gateway, n byte) {
			c := g.http2From(n)
			piece := make([]byte, 16<<10)
			for i := range 4 {
				c.Request(uint32(2*i+1), "POST", "/deaf", false)
				for range 15 {
					if c.WriteData(uint32(2*i+1), false, piece) != nil {
						return
					}
				}
			}
		}},
		{"heads for an Endpoint that is slow", servertest.EndlessBackend, false, func(t *testing.T, g *gateway, n byte) {
			c := g.http2From(n)
			for i := range 60 {
				c.Request(uint32(2*i+1), "GET", "/wait", true, "x", fmt.Sprintf("%012000d", i))
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) {
				c.Limits.BufferedBytes, c.Limits.BodyBytes = bound, 0
			}, Options{})
			b := &routing.Backend{}
			if row.http2 {
				b.Protocol = routing.H2C
			}
			g.serveBackend(nil, b, row.backend(t))
			small := g.wireFrom(3)
			small.Get("/quick")
			for n := range clients {
				row.greed(t, g, byte(10+n))
				if n%8 == 7 {
					if got := small.Get("/quick"); got.StatusCode != 200 {
						t.Fatalf("one that holds nothing got %d, %v", got.StatusCode, got.Cut)
					}
				}
			}
			servertest.Until(t, "some to be cut", func() bool { return g.shedOf(stats.ShedBuffered) > 0 })
			servertest.Until(t, "the rest to fit", func() bool { return g.peers.Buffered() <= bound+256<<10 }) // a step that is not told, see wire.Pool
			g.wantServed(4, 10)
			if got := small.Get("/quick"); got.StatusCode != 200 {
				t.Errorf("one that holds nothing got %d, %v", got.StatusCode, got.Cut)
			}
			small.Close()
		})
	}
}

// TestAccountsEndAtNothing: exchanges of every pairing, whole and cut short, leave no byte, no descriptor and no request
// counted.
func TestAccountsEndAtNothing(t *testing.T) {
	t.Parallel()
	for _, p := range servertest.Pairings {
		t.Run(p.Name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) { c.Upstream.MaxIdlePerEndpoint = 0 }, Options{})
			streams := exchange.SpeaksHTTP2(p.Protocol)
			secure := p.Protocol == routing.HTTPS || p.Protocol == routing.GRPCS
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(w, io.LimitReader(r.Body, 100))
				piece := make([]byte, 32<<10)
				for range 100 {
					if _, err := w.Write(piece); err != nil {
						return
					}
				}
			})
			g.serveProtocol(p.Protocol, servertest.StartBackend(t, secure, h))
			addr := g.addr
			if p.Scheme == "https" {
				addr = g.secureAddr
			}
			client := p.Down(t)
			for i := range servertest.Times(20, 8) {
				resp, err := client.Post(p.Scheme+"://"+addr+"/", "", io.LimitReader(zeros{}, int64(i)*20_000))
				if err != nil {
					continue // the Endpoint ended before it had all
				}
				if i%2 == 0 {
					_, _ = io.Copy(io.Discard, resp.Body)
				}
				resp.Body.Close()
			}
			client.CloseIdleConnections()
			servertest.Until(t, "all to end", func() bool {
				return g.counted(func(c *stats.Counters) uint64 { return c.ExchangesStarted - c.ExchangesEnded }) == 0
			})
			if streams {
				for _, w := range g.workers {
					w.Post(w.up.Cut)
				}
			}
			g.wantNothingLeft()
			servertest.Until(t, "descriptors to be back", func() bool { return g.peers.Descriptors() == g.pipes() })
		})
	}
}

// TestBufferedBytesAfterReload: connections are shed when the bound is lowered, although they hold no more than before.
func TestBufferedBytesAfterReload(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serve(nil, servertest.EndlessBackend(t))
	for range 40 {
		c := g.http2From(2, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		for i := range 8 {
			c.Request(uint32(2*i+1), "GET", "/endless", true)
		}
	}
	servertest.Until(t, "something to wait", func() bool { return g.peers.Buffered() > 3<<19 })
	changed := config.Default()
	changed.Limits.BufferedBytes = 1 << 20
	g.Reload(changed)
	// A loop tells the others of its sum by steps: one of these may be left over, which is in use no more.
	const step = 256 << 10
	servertest.Until(t, "some to be cut", func() bool { return g.peers.Buffered() <= 1<<20+step && g.shedOf(stats.ShedBuffered) > 0 })
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
