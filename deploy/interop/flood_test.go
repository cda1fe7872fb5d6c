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

// floods are the frames that a hostile client repeats; round counts from 0, and is of a hundred frames or so.
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

// siege is a kind of flood as TestFloods has it: against which Listener, from how many connections, to which of
// the flooder's Backends.
type siege struct {
	kind  string
	down  down
	conns int
	host  string
	deaf  bool
	// counted is the gateway's count of connections cut for the flood.
	counted func(g *gateway) float64
	// bar is how many times as long the other client's p99 may be.
	bar float64
}

func (s siege) String() string {
	deaf := ""
	if s.deaf {
		deaf = ", deaf"
	}
	return fmt.Sprintf("%s %s%s to %s", s.down.name, s.kind, deaf, s.host)
}

func sieges() (all []siege) {
	// A request takes two turns of the loop, and before each there may be a piece of a handshake: the one
	// processor computes both, and crypto/tls keeps it for 130 us at a time. No more can come between two turns,
	// but it is long beside a p99 of 300. A flooder that is cut off and comes back shakes hands too.
	const bar, oneProcessor = 2, 3
	for _, d := range downs {
		if !d.http2 {
			continue
		}
		bar := float64(bar)
		if d.tls {
			bar = oneProcessor
		}
		for _, f := range floods {
			s := siege{f.name, d, 8, "h1.test", false, func(g *gateway) float64 { return g.metric("sluice_http2_floods_total", f.metric) }, bar}
			all = append(all, s)
			switch f.name {
			case "rapid reset":
				s.host = "h2c.test"
				all = append(all, s)
			case "PING", "CONTINUATION of fields":
				s.deaf = true
				all = append(all, s)
			}
		}
		all = append(all, siege{"zero window", d, 10, "h2c.test", false, nil, bar})
	}
	failed := func(g *gateway) float64 {
		return g.metric("sluice_tls_handshakes_failed_total", "client", "timeout") + g.metric("sluice_tls_handshakes_failed_total", "client", "displaced")
	}
	d := downs[2]
	return append(all,
		siege{"hello", d, 64, "h1.test", false, nil, oneProcessor},
		siege{"handshake", d, 64, "h1.test", false, nil, oneProcessor},
		siege{"half-open", d, 5000, "h1.test", false, failed, bar},
		siege{"silent", d, 5000, "h1.test", false, nil, bar}) // which is cut off later than this takes
}

// TestFloods: a flooder is cut off and counted, the gateway's memory stays bounded, and another client's p99 at
// most doubles.
//
// The gateway has a CPU to itself. The flooder shares the other with the innocent client and the Backend, and
// runs only when these are idle. As a control the same flood goes to a gateway that runs on that CPU too, and
// as reluctantly: this measures the cost of the flood's mere presence on the machine. Where that is high, the
// result is compared with the control, and the log reports it.
func TestFloods(t *testing.T) {
	measures(t)
	requests, rounds := 1000, 3
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
	services := []service{
		{host: "innocent.test", endpoints: []string{b.addr}},
		{host: "h1.test", endpoints: []string{f.h1}},
		{host: "h2c.test", protocol: "H2C", endpoints: []string{f.h2c}},
	}
	g := startPinned(t, cpus.gateway, false, config, services...)
	decoy := startPinned(t, cpus.others, true, config, services...)
	c := newInnocent(t, g, "innocent.test")
	c.measure(t, 500)
	calm := func() {
		for _, g := range []*gateway{g, decoy} {
			for g.metric("sluice_connections_active") > 5 {
				time.Sleep(10 * time.Millisecond) // asks a process
			}
		}
	}
	for _, s := range sieges() {
		t.Run(s.String(), func(t *testing.T) {
			var e evidence
			counted := 0.0
			if s.counted != nil {
				counted = s.counted(g)
			}
			// A close result is measured more often.
			for n := 0; n < rounds || n < 3*rounds && e.beyond(s.bar) != ""; n++ {
				calm()
				e.quiet = append(e.quiet, c.measure(t, requests))
				calm()
				f.start(s.order(decoy))
				c.measure(t, s.conns/5) // has begun
				e.control = append(e.control, c.measure(t, requests))
				f.stop()
				calm()
				started := time.Now()
				f.start(s.order(g))
				c.measure(t, s.conns/5)
				before, cpu, begun := g.rss(), g.cpu(), time.Now()
				peak := g.watchRSS()
				e.flood = append(e.flood, c.measure(t, requests))
				e.share += float64(g.cpu()-cpu) / float64(time.Since(begun))
				e.grown = max(e.grown, peak()-before)
				e.add(f.stop())
				e.lasted += time.Since(started)
			}
			calm()
			if s.counted != nil {
				counted = s.counted(g) - counted
				if counted == 0 {
					t.Error("nobody was cut off and counted")
				}
			}
			t.Logf("%s; cut off %d times, counted %.0f", &e, e.CutOff, counted)
			if beyond := e.beyond(s.bar); beyond != "" {
				t.Error(beyond)
			}
			if e.Conns == 0 {
				t.Error("that was no flood")
			}
			if s.kind == "zero window" && e.CutOff == 0 {
				t.Error("no stalled stream was given up")
			}
			if e.grown > s.memory() {
				t.Errorf("RSS grew by %s, bar %s", mebibytes(e.grown), mebibytes(s.memory()))
			}
		})
	}
}

func (s siege) order(g *gateway) order {
	return order{Kind: s.kind, Down: s.down.name, Addr: g.addr(s.down), Host: s.host, Conns: s.conns, Deaf: s.deaf}
}

// memory is how much the gateway's resident set may grow.
func (s siege) memory() int64 {
	switch s.kind {
	case "zero window": // 100 streams each, of what a window upstream lets the Endpoint send, in a buffer of up to twice that
		return int64(s.conns) * 100 * (256 << 10)
	case "half-open": // 4,096 handshakes of some 30 KiB at a time, and as many again that are ending
		return 300 << 20
	case "silent":
		return 64 << 20
	}
	if s.down.tls { // hundreds of handshakes a second, each of some 100 KiB that the collector comes to later
		return 64 << 20
	}
	return 16 << 20
}

// evidence holds the measurements of one siege.
type evidence struct {
	quiet, control, flood []times
	share                 float64 // of the gateway's CPU, a sum over the rounds
	grown                 int64   // the most that its resident set grew by
	lasted                time.Duration
	outcome
}

func (e *evidence) add(o outcome) {
	e.CutOff += o.CutOff
	e.Conns += o.Conns
	e.Bytes += o.Bytes
}

// beyond names the measurement beyond the bar, if there is one.
func (e *evidence) beyond(bar float64) string {
	q, w, f := middle(e.quiet), middle(e.control), middle(e.flood)
	judge := func(protocol string, quiet, control, flood time.Duration) string {
		base, of := quiet, "without the flood"
		if control > quiet*3/2 {
			base, of = control, "with the flood elsewhere on the machine"
		}
		if float64(flood) <= bar*float64(base) {
			return ""
		}
		return fmt.Sprintf("%s: the other client's p99 is %v, and %v %s; the bar is %v times that. ", protocol, us(flood), us(base), of, bar)
	}
	return judge("h1", q.h1p99, w.h1p99, f.h1p99) + judge("h2", q.h2p99, w.h2p99, f.h2p99)
}

func (e *evidence) String() string {
	q, w, f := middle(e.quiet), middle(e.control), middle(e.flood)
	line := func(a, b, c time.Duration) string {
		return fmt.Sprintf("%v, %v, %v (x%.2f, x%.2f)", us(a), us(b), us(c), float64(c)/float64(a), float64(c)/float64(b))
	}
	return fmt.Sprintf("quiet, control, flood: h1 p50 %s, p99 %s; h2 p50 %s, p99 %s; %d rounds, %.0f connections/s, %d bytes each, RSS +%s, CPU %.2f",
		line(q.h1p50, w.h1p50, f.h1p50), line(q.h1p99, w.h1p99, f.h1p99), line(q.h2p50, w.h2p50, f.h2p50), line(q.h2p99, w.h2p99, f.h2p99),
		len(e.quiet), float64(e.Conns)/e.lasted.Seconds(), e.Bytes/max(1, e.Conns), mebibytes(e.grown), e.share/float64(len(e.quiet)))
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
