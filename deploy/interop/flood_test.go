package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
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

func newFrames(c net.Conn, tls bool, host, path string, settings ...http2.Setting) *frames {
	f := &frames{Conn: c, block: getBlock(tls, host, path)}
	f.Framer = http2.NewFramer(&f.out, bufio.NewReader(f.Conn))
	f.AllowIllegalWrites = true
	f.out.WriteString(http2.ClientPreface)
	_ = f.WriteSettings(settings...)
	return f
}

// getBlock is the header block of a GET, which can be sent again and again.
func getBlock(tls bool, host, path string) []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSize(0)
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", map[bool]string{false: "http", true: "https"}[tls]}, {":authority", host}, {":path", path}} {
		_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	return block.Bytes()
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
	round        func(f *frames, round int)
}{
	{"rapid reset", "reset", func(f *frames, round int) {
		for i := range 100 {
			id := uint32(1 + 2*(100*round+i))
			f.get(id)
			_ = f.WriteRSTStream(id, http2.ErrCodeCancel)
		}
	}},
	{"CONTINUATION", "continuation", func(f *frames, round int) {
		if round == 0 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndStream: true})
		}
		for range 100 {
			_ = f.WriteContinuation(1, false, nil)
		}
	}},
	{"CONTINUATION of fields", "continuation", func(f *frames, round int) {
		if round == 0 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndStream: true})
		}
		fields := bytes.Repeat([]byte("\x00\x01a\x01b"), 200)
		for range 100 {
			_ = f.WriteContinuation(1, false, fields)
		}
	}},
	{"SETTINGS", "settings", func(f *frames, _ int) {
		for range 100 {
			_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 70000})
		}
	}},
	{"PING", "ping", func(f *frames, _ int) {
		for range 100 {
			_ = f.WritePing(false, [8]byte{1})
		}
	}},
	{"empty DATA", "empty", func(f *frames, round int) {
		if round == 0 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndHeaders: true})
		}
		for range 100 {
			_ = f.WriteData(1, false, nil)
		}
	}},
}

// victim is a gateway that is flooded, or one beside which another is.
type flooded struct {
	kind  string
	down  down
	conns int
	host  string // h1.test or h2c.test
	cut   func(g *gateway) float64
	deaf  bool
}

func floodedKinds() (all []flooded) {
	for _, d := range downs {
		if !d.http2 {
			continue
		}
		for _, f := range floods {
			cut := func(g *gateway) float64 { return g.metric("sluice_http2_floods_total", f.metric) }
			all = append(all, flooded{f.name, d, 8, "h1.test", cut, false})
			if f.name == "PING" || f.name == "CONTINUATION of fields" {
				all = append(all, flooded{f.name, d, 8, "h1.test", cut, true})
			}
			if f.name == "rapid reset" {
				all = append(all, flooded{f.name, d, 8, "h2c.test", cut, false})
			}
		}
		all = append(all, flooded{"zero window", d, 10, "h2c.test", nil, false})
	}
	failed := func(reasons ...string) func(g *gateway) float64 {
		return func(g *gateway) (sum float64) {
			for _, r := range reasons {
				sum += g.metric("sluice_tls_handshakes_failed_total", "client", r)
			}
			return sum
		}
	}
	d := downs[2]
	return append(all,
		flooded{"hello", d, 64, "h1.test", nil, false},
		flooded{"handshake", d, 64, "h1.test", nil, false},
		flooded{"half-open", d, 5000, "h1.test", failed("timeout", "displaced"), false},
		flooded{"silent", d, 5000, "h1.test", nil, false})
}

// TestFloods: whoever floods is cut off and counted, and what the gateway holds stays bounded. Another
// client's p99 at most doubles.
//
// The gateway has a CPU to itself. The flooder shares the other with the innocent client and the Backend, and
// runs only when these do not want it; a control of the same flood, against a gateway that runs on that CPU too, and as
// reluctantly, shows what the flood's mere presence on the machine costs.
func TestFloods(t *testing.T) {
	measures(t)
	requests, rounds := 1500, 3
	if long {
		requests, rounds = 3000, 7
	}
	cpus, ok := apart(t)
	if !ok {
		t.Skip("needs two CPUs")
	}
	f := startFlooder(t, cpus.others)
	b := startBackend(t, ups[0], nil)
	config := "timeouts: {send: 1s}\n"
	services := []service{{host: "innocent.test", endpoints: []string{b.addr}}, {host: "h1.test", endpoints: []string{f.h1}}, {host: "h2c.test", protocol: "H2C", endpoints: []string{f.h2c}}}
	g := startPinned(t, cpus.gateway, false, config, services...)
	decoy := startPinned(t, cpus.others, true, config, services...)
	c := newInnocent(t, g, "innocent.test")
	c.measure(t, 500)
	for _, k := range floodedKinds() {
		t.Run(fmt.Sprintf("%s %s to %s", k.down.name, k.kind, map[bool]string{true: "deaf"}[k.deaf]+k.host), func(t *testing.T) {
			calm := func() {
				for _, g := range []*gateway{g, decoy} {
					for g.metric("sluice_connections_active") > 5 {
						time.Sleep(10 * time.Millisecond) // asks a process
					}
				}
			}
			var quiet, control, during []times
			var total outcome
			var rate, share float64
			var grown int64
			counted := 0.0
			if k.cut != nil {
				counted = k.cut(g)
			}
			for range rounds {
				calm()
				quiet = append(quiet, c.measure(t, requests))
				for _, at := range []*gateway{decoy, g} {
					calm()
					before := g.rss()
					f.start(order{Kind: k.kind, Down: k.down.name, Addr: at.addr(k.down), Host: k.host, Conns: k.conns, Deaf: k.deaf})
					begun := time.Now()
					c.measure(t, max(100, k.conns/5)) // has begun
					cpu, then := g.cpu(), time.Now()
					peak := g.watchRSS()
					m := c.measure(t, requests)
					used := float64(g.cpu()-cpu) / float64(time.Since(then))
					high := peak()
					o := f.stop()
					if at == decoy {
						control = append(control, m)
						continue
					}
					during = append(during, m)
					grown = max(grown, high-before)
					total.CutOff += o.CutOff
					total.Conns += o.Conns
					total.Bytes += o.Bytes
					rate += float64(o.Conns) / time.Since(begun).Seconds() / float64(rounds)
					share += used / float64(rounds)
				}
			}
			if k.cut != nil {
				counted = k.cut(g) - counted
			}
			q, w, d := middle(quiet), middle(control), middle(during)
			t.Logf("h1 p50 %v, %v, %v; p99 %v, %v, %v (x%.2f); h2 p50 %v, %v, %v; p99 %v, %v, %v (x%.2f); %.0f conns/s, %d bytes each, cut off %d, counted %.0f, RSS +%s, CPU %.2f",
				us(q.h1p50), us(w.h1p50), us(d.h1p50), us(q.h1p99), us(w.h1p99), us(d.h1p99), float64(d.h1p99)/float64(q.h1p99),
				us(q.h2p50), us(w.h2p50), us(d.h2p50), us(q.h2p99), us(w.h2p99), us(d.h2p99), float64(d.h2p99)/float64(q.h2p99),
				rate, total.Bytes/max(1, total.Conns), total.CutOff, counted, mebibytes(grown), share)
		})
	}
}

func us(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// middle is the median of each figure.
func middle(all []times) times {
	of := func(f func(times) time.Duration) time.Duration {
		var d []time.Duration
		for _, m := range all {
			d = append(d, f(m))
		}
		slices.Sort(d)
		return d[len(d)/2]
	}
	return times{
		of(func(m times) time.Duration { return m.h1p50 }), of(func(m times) time.Duration { return m.h1p99 }),
		of(func(m times) time.Duration { return m.h2p50 }), of(func(m times) time.Duration { return m.h2p99 }),
	}
}
