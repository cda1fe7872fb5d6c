package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// wireFrom opens a raw client connection from 127.0.0.n, each of which is a source of its own. Its Close is a
// reset.
func (g *gateway) wireFrom(n byte) *wire {
	g.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, n)}, Timeout: wireTimeout}
	c, err := d.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0) // so that the gateway is told also within a long wait
	g.t.Cleanup(func() { c.Close() })
	return newWire(g.t, c)
}

// http2From is dialHTTP2 from 127.0.0.n.
func (g *gateway) http2From(n byte, settings ...http2.Setting) *rawHTTP2 {
	g.t.Helper()
	w := g.wireFrom(n)
	c := &rawHTTP2{Conn: w.TCPConn, Framer: http2.NewFramer(w.TCPConn, w.TCPConn)}
	c.enc = newEncoder(c)
	_, _ = io.WriteString(w, http2.ClientPreface)
	_ = c.WriteSettings(settings...)
	return c
}

// shedOf counts what was shed for a reason.
func (g *gateway) shedOf(why stats.Shed) uint64 {
	return g.counted(func(c *stats.Counters) uint64 { return c.Shed[why] })
}

// wantServed has clients of a source each open a connection and be answered.
func (g *gateway) wantServed(n byte, clients int) {
	g.t.Helper()
	for range clients {
		c := g.wireFrom(n)
		if got := c.get("/quick"); got.StatusCode != 200 {
			g.t.Fatalf("a client beside them got %d, %v", got.StatusCode, got.cut)
		}
		c.Close()
	}
}

// wantNothingLeft waits until every account is back to nothing, once the clients are gone.
func (g *gateway) wantNothingLeft() {
	g.t.Helper()
	until(g.t, "accounts to be back at nothing", func() bool {
		left := int64(g.sources.count())
		for _, w := range g.workers {
			one := make(chan int64)
			w.Post(func() {
				n := int64(w.crowd.most)
				if len(w.sessions) == 0 { // those of Endpoints stay a while
					n += max(w.buffers.used, -w.buffers.used)
				}
				one <- n
			})
			left += <-one
		}
		return left == 0
	})
}

func TestSourceKey(t *testing.T) {
	for _, row := range [][2]string{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"2001:db8:1:2::7", "2001:db8:1:2::"},
		{"2001:db8:1:3::7", "2001:db8:1:3::"},
		{"fe80::1%eth0", "fe80::"},
		{"::1", "::"},
	} {
		if got := sourceKey(netip.MustParseAddr(row[0])); got != netip.MustParseAddr(row[1]) {
			t.Errorf("%s is of %s, want %s", row[0], got, row[1])
		}
	}
}

// TestPermits: however many loops begin and end requests of one source, no more are in flight than may be,
// all that may be can be where one loop asks for them, and what is given back can be had again.
func TestPermits(t *testing.T) {
	for _, most := range []int64{1, 2, 10, 100, 1000} {
		const loops = 4
		all := newSources(loops)
		src, _ := all.enter(netip.MustParseAddr("192.0.2.1"))
		var inFlight, peak atomic.Int64
		var wg sync.WaitGroup
		for i := range loops {
			wg.Go(func() {
				s := &src.shares[i]
				mine := 0
				for n := range 20_000 {
					if n%3 != 2 {
						if s.begin(most) {
							mine++
							if now := inFlight.Add(1); now > peak.Load() {
								peak.Store(now)
							}
						}
					} else if mine > 0 {
						inFlight.Add(-1)
						mine--
						s.end()
					}
				}
				for ; mine > 0; mine-- {
					inFlight.Add(-1)
					s.end()
				}
				s.giveBack(s.permits - s.requests)
			})
		}
		wg.Wait()
		if peak.Load() > most {
			t.Errorf("%d in flight, at most %d may be", peak.Load(), most)
		}
		if n := src.permits.Load(); n != 0 {
			t.Errorf("%d permits are gone", n)
		}
		n := int64(0)
		for src.shares[0].begin(most) {
			n++
		}
		if n != most {
			t.Errorf("one loop gets %d of %d", n, most)
		}
	}
}

// TestFilledByOneSource: a source that fills limits.connections, with whatever it does on its connections,
// keeps nobody else out.
func TestFilledByOneSource(t *testing.T) {
	const most = 50
	for _, row := range []struct {
		name string
		fill func(g *gateway, c *wire)
		why  stats.Shed
	}{
		{"idle behind a response", func(g *gateway, c *wire) { c.get("/quick") }, stats.ShedFull},
		{"silent", func(*gateway, *wire) {}, stats.ShedFull},
		{"part of a head", func(_ *gateway, c *wire) { c.send("GET / HTTP/1.1\r\nHost: a\r\nX: ") }, stats.ShedFull},
		{"HTTP/2 without a stream", func(_ *gateway, c *wire) {
			_, _ = io.WriteString(c, http2.ClientPreface)
			_ = http2.NewFramer(c, c).WriteSettings()
			_, _ = io.ReadFull(c.r, make([]byte, 9))
		}, stats.ShedFull},
		{"body that does not come", func(_ *gateway, c *wire) {
			c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
		}, stats.ShedFull},
		{"response that is not read", func(_ *gateway, c *wire) {
			_ = c.SetReadBuffer(1)
			c.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
			_, _ = c.r.ReadByte()
		}, stats.ShedFull},
	} {
		for _, share := range []int{most, most / 2} {
			t.Run(fmt.Sprintf("%s, %d of %d for each", row.name, share, most), func(t *testing.T) {
				g := newGateway(t, func(c *config.Config) {
					c.Limits.Connections, c.Limits.ConnectionsPerSource = most, share
					c.HTTP.SpliceThreshold = 0
				}, Options{})
				g.serve(nil, endlessBackend(t))
				for range most {
					row.fill(g, g.wireFrom(2))
				}
				g.settle()
				for _, n := range []byte{3, 4} {
					g.wantServed(n, 20)
				}
				// Five at a time, of one source: none of them gives way to another.
				var open []*wire
				for range 5 {
					c := g.wireFrom(5)
					c.get("/quick")
					open = append(open, c)
				}
				for _, c := range open {
					if got := c.get("/quick"); got.StatusCode != 200 {
						t.Errorf("one of five got %d, %v", got.StatusCode, got.cut)
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

// endlessBackend answers /quick at once, with an endless body for /endless, and everything else once it has
// the whole body.
func endlessBackend(t testing.TB) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/endless":
			piece := make([]byte, 32<<10)
			for r.Context().Err() == nil {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case strings.HasPrefix(r.URL.Path, "/wait"):
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "ok")
		}
	})
}

// TestConnectionsPerSource: a source that has all that one may have gets another connection for an idle one
// of its own, and none where it has no idle one; others are not concerned, nor is a trusted peer bounded.
func TestConnectionsPerSource(t *testing.T) {
	g := newGateway(t, func(c *config.Config) {
		c.Limits.Connections, c.Limits.ConnectionsPerSource = 100, 4
		c.Forwarded.TrustedCIDRs = []string{"127.0.0.9"}
		c.Threads = 1
	}, Options{})
	g.serve(nil, endlessBackend(t))
	var open []*wire
	for range 4 {
		c := g.wireFrom(2)
		c.get("/quick")
		open = append(open, c)
	}
	c := g.wireFrom(2)
	if got := c.get("/quick"); got.StatusCode != 200 {
		t.Fatalf("a fifth got %d, %v", got.StatusCode, got.cut)
	}
	open[0].wantClosed()
	for _, c := range append(open[1:], c) {
		c.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.head()
	}
	g.wireFrom(2).wantClosed()
	g.wantServed(3, 5)
	for range 10 {
		c := g.wireFrom(9)
		c.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.head()
	}
	if n := g.shedOf(stats.ShedSource); n != 2 {
		t.Errorf("%d were counted", n)
	}
}

// TestConnectionsPerNamedSource: behind the PROXY protocol the source is the client that is named.
func TestConnectionsPerNamedSource(t *testing.T) {
	g := newProxiedGateway(t, func(c *config.Config) { c.Limits.Connections, c.Limits.ConnectionsPerSource = 100, 4 })
	g.serve(nil, endlessBackend(t))
	named := func(client string) *wire {
		c := g.wire()
		_ = c.SetLinger(0)
		_, _ = c.Write(proxyproto.AppendV1(nil, netip.MustParseAddrPort(client+":1000"), headerTo))
		return c
	}
	for range 4 {
		c := named("192.0.2.1")
		c.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.head()
	}
	c := named("192.0.2.1")
	c.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
	c.wantClosed()
	for i := range 10 {
		if got := named(fmt.Sprintf("192.0.2.%d", 2+i)).get("/quick"); got.StatusCode != 200 {
			t.Errorf("another got %d, %v", got.StatusCode, got.cut)
		}
	}
}

// TestRequestsPerSource: a source with as many requests in flight as one may have gets 429, on connections of
// either protocol, until one of them has ended; others are served.
func TestRequestsPerSource(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Limits.RequestsPerSource = 20 }, Options{})
	g.serve(nil, endlessBackend(t))
	var held []*wire
	for range 8 {
		c := g.wireFrom(2)
		c.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		c.head()
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
				return firstStatus(t, h, f)
			}
		}
	}
	for i := range 12 {
		h.request(uint32(2*i+1), "GET", "/wait", true)
		if got := status(uint32(2*i + 1)); got != "200" {
			t.Fatalf("request %d of 20 got %s", 9+i, got)
		}
	}
	h.request(101, "GET", "/wait", true)
	if got := status(101); got != "429" {
		t.Errorf("request 21 got %s", got)
	}
	extra := g.wireFrom(2)
	if got := extra.get("/quick"); got.StatusCode != 429 {
		t.Errorf("and over HTTP/1.1 %d", got.StatusCode)
	}
	extra.Close()
	g.wantServed(3, 20)
	held[0].Close()
	until(t, "the place of one that left", func() bool { c := g.wireFrom(2); defer c.Close(); return c.get("/quick").StatusCode == 200 })
	_ = h.WriteRSTStream(1, http2.ErrCodeCancel)
	until(t, "the place of a stream that was given up", func() bool { c := g.wireFrom(2); defer c.Close(); return c.get("/quick").StatusCode == 200 })
	for _, c := range held {
		c.Close()
	}
	h.Close()
	g.wantNothingLeft()
}

// TestSourcesAreForgotten: the table has those with connections, and no others.
func TestSourcesAreForgotten(t *testing.T) {
	g := newGateway(t, nil, Options{})
	g.serve(nil, endlessBackend(t))
	var open []*wire
	for n := range 100 {
		c := g.wireFrom(byte(2 + n))
		c.get("/quick")
		open = append(open, c)
	}
	if n := g.sources.count(); n != 100 {
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

func newEncoder(c *rawHTTP2) *hpack.Encoder { return hpack.NewEncoder(&c.block) }

// firstStatus returns :status of a response's head, which the gateway sends first.
func firstStatus(t *testing.T, c *rawHTTP2, f *http2.HeadersFrame) (status string) {
	t.Helper()
	if c.dec == nil {
		c.dec = hpack.NewDecoder(4096, nil)
	}
	fields, err := c.dec.DecodeFull(f.HeaderBlockFragment())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if f.Name == ":status" {
			return f.Value
		}
	}
	return ""
}
