package interop

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is a client's HTTP/2 connection, frame by frame, with frames gathered for one write.
type frames struct {
	net.Conn
	*http2.Framer
	out   bytes.Buffer
	block []byte // of a GET
}

func (g *gateway) frames(d down, host, path string, settings ...http2.Setting) *frames {
	f := &frames{Conn: g.dial(d, host)}
	f.Framer = http2.NewFramer(&f.out, f.Conn)
	f.AllowIllegalWrites = true
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSize(0) // so that the block can be sent again
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", map[bool]string{false: "http", true: "https"}[d.tls]}, {":authority", host}, {":path", path}} {
		_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	f.block = block.Bytes()
	f.out.WriteString(http2.ClientPreface)
	_ = f.WriteSettings(settings...)
	return f
}

// flush writes what was gathered.
func (f *frames) flush() error {
	_ = f.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := f.Conn.Write(f.out.Bytes())
	f.out.Reset()
	return err
}

func (f *frames) get(stream uint32) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block, EndHeaders: true, EndStream: true})
}

// floods are what a hostile client repeats; round counts from 0, and is of a hundred frames or so.
var floods = []struct {
	name, metric string
	settings     []http2.Setting
	round        func(f *frames, round int)
}{
	{"rapid reset", "reset", nil, func(f *frames, round int) {
		for i := range 100 {
			id := uint32(1 + 2*(100*round+i))
			f.get(id)
			_ = f.WriteRSTStream(id, http2.ErrCodeCancel)
		}
	}},
	{"CONTINUATION", "continuation", nil, func(f *frames, round int) {
		if round == 0 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndStream: true})
		}
		for range 100 {
			_ = f.WriteContinuation(1, false, nil)
		}
	}},
	{"CONTINUATION of fields", "continuation", nil, func(f *frames, round int) {
		if round == 0 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndStream: true})
		}
		fields := bytes.Repeat([]byte("\x00\x01a\x01b"), 200)
		for range 100 {
			_ = f.WriteContinuation(1, false, fields)
		}
	}},
	{"SETTINGS", "settings", nil, func(f *frames, _ int) {
		for range 100 {
			_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 70000})
		}
	}},
	{"PING", "ping", nil, func(f *frames, _ int) {
		for range 100 {
			_ = f.WritePing(false, [8]byte{1})
		}
	}},
	{"empty DATA", "empty", nil, func(f *frames, round int) {
		if round == 0 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndHeaders: true})
		}
		for range 100 {
			_ = f.WriteData(1, false, nil)
		}
	}},
}

// flooding is a hostile client that connects again whenever it is cut off, from several connections.
func flooding(t *testing.T, g *gateway, d down, host string, n int, settings []http2.Setting, round func(*frames, int)) (cutOff *atomic.Int64, sent *atomic.Int64, stop func()) {
	cutOff, sent = new(atomic.Int64), new(atomic.Int64)
	end, ended := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				f := g.frames(d, host, "/", settings...)
				go func() { _, _ = io.Copy(io.Discard, f.Conn) }()
				for i := 0; ; i++ {
					select {
					case <-end:
						f.Close()
						return
					default:
					}
					round(f, i)
					n := f.out.Len()
					if f.flush() != nil {
						break
					}
					sent.Add(int64(n))
				}
				f.Close()
				cutOff.Add(1)
			}
		}()
	}
	return cutOff, sent, func() {
		close(end)
		for range n {
			<-ended
		}
	}
}

// quickly measures requests of an innocent client, one after another, for a while.
func quickly(t *testing.T, c *http.Client, url string, lasts time.Duration) (p50, p99 time.Duration, n int) {
	var took []time.Duration
	for begun := time.Now(); time.Since(begun) < lasts; {
		one := time.Now()
		resp, err := c.Get(url)
		if err != nil {
			t.Errorf("the innocent client: %v", err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		took = append(took, time.Since(one))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], len(took)
}

// TestFloods: whoever floods is cut off and counted, the gateway's memory and CPU stay bounded, and another
// client is served. With all of it on one machine of two cores the innocent client's times are those of the
// flooders' CPU use as well, so that the bar is far above what is seen: the log has the figures.
func TestFloods(t *testing.T) {
	lasts := time.Second
	if long {
		lasts = 10 * time.Second
	}
	b := startBackend(t, ups[0], nil)
	g := start(t, "", service{host: "h1.test", endpoints: []string{b.addr}})
	for _, d := range downs {
		if !d.http2 || d.tls && !long {
			continue
		}
		for _, flood := range floods {
			t.Run(d.name+" "+flood.name, func(t *testing.T) {
				c := g.client(d)
				url := d.url("h1.test", "/")
				quickly(t, c, url, 200*time.Millisecond)
				p50, p99, n := quickly(t, c, url, lasts)
				before := g.rss()
				counted := g.metric("sluice_http2_floods_total", flood.metric)
				peak := g.watchRSS()
				cpu, begun := g.cpu(), time.Now()
				cutOff, sent, stop := flooding(t, g, d, "h1.test", 2, flood.settings, flood.round)
				p50f, p99f, nf := quickly(t, c, url, lasts)
				stop()
				share := float64(g.cpu()-cpu) / float64(time.Since(begun))
				grown := peak() - before
				counted = g.metric("sluice_http2_floods_total", flood.metric) - counted
				t.Logf("cut off %d times, counted %.0f, after %d bytes each; the other client: %d requests, p50 %v, p99 %v -> %d, %v, %v; RSS +%s, CPU %.2f",
					cutOff.Load(), counted, sent.Load()/max(1, cutOff.Load()), n, p50, p99, nf, p50f, p99f, mebibytes(grown), share)
				if cutOff.Load() == 0 || counted == 0 {
					t.Errorf("cut off %d times, counted %.0f", cutOff.Load(), counted)
				}
				if grown > 16<<20 {
					t.Errorf("RSS grew by %s", mebibytes(grown))
				}
				if bar := 10*p99 + 100*time.Millisecond; p99f > bar {
					t.Errorf("the other client's p99 is %v, without the flood %v", p99f, p99)
				}
			})
		}
	}
}

// TestZeroWindowStall has clients that open all their streams, ask for much, and never open a window: the
// gateway gives up each after timeouts.send.
func TestZeroWindowStall(t *testing.T) {
	b := startBackend(t, ups[1], nil)
	g := start(t, "timeouts: {send: 1s}\n", service{host: "h2c.test", protocol: "H2C", endpoints: []string{b.addr}})
	for _, d := range downs {
		if !d.http2 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			c := g.client(d)
			url := d.url("h2c.test", "/")
			quickly(t, c, url, 200*time.Millisecond)
			_, p99, _ := quickly(t, c, url, 500*time.Millisecond)
			before := g.rss()
			peak := g.watchRSS()
			const clients, streams = 10, 100
			gone := make(chan int, clients)
			for range clients {
				f := g.frames(d, "h2c.test", "/bytes?n=10000000", http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
				for i := range uint32(streams) {
					f.get(1 + 2*i)
				}
				if err := f.flush(); err != nil {
					t.Fatal(err)
				}
				go func() {
					resets := 0
					_ = f.SetReadDeadline(time.Now().Add(20 * time.Second))
					for resets < streams {
						frame, err := f.ReadFrame()
						if err != nil {
							break
						}
						if _, ok := frame.(*http2.RSTStreamFrame); ok {
							resets++
						}
					}
					gone <- resets
				}()
			}
			_, p99f, _ := quickly(t, c, url, 500*time.Millisecond)
			for range clients {
				if resets := <-gone; resets != streams {
					t.Errorf("%d of %d stalled streams were reset", resets, streams)
				}
			}
			grown := peak() - before
			t.Logf("%d streams without a window: RSS +%s, the other client's p99 %v -> %v", clients*streams, mebibytes(grown), p99, p99f)
			// Each stalled stream may hold what the Endpoint's window lets it send, and no more.
			if bar := int64(clients * streams * (256 << 10)); grown > bar {
				t.Errorf("RSS grew by %s, bar %s", mebibytes(grown), mebibytes(bar))
			}
			if bar := 10*p99 + 500*time.Millisecond; p99f > bar {
				t.Errorf("the other client's p99 is %v, before %v", p99f, p99)
			}
		})
	}
}
