//go:build !race

package h2

import (
	"runtime"
	"testing"
	"unsafe"
)

// TestNoAllocations covers what runs per request, on both sides.
func TestNoAllocations(t *testing.T) {
	p, batch := newResponder(t)
	feed := func() {
		p.c.sendOpen = 1 << 30
		if err := p.c.Feed(p.now, batch); err != nil {
			t.Fatal(err)
		}
		p.c.Wrote(len(p.c.Output()))
		renumber(batch, 200)
	}
	pieces := func() {
		p.c.sendOpen = 1 << 30
		for b := batch; len(b) > 0; {
			n := min(len(b), 61)
			if err := p.c.Feed(p.now, b[:n]); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		p.c.Wrote(len(p.c.Output()))
		renumber(batch, 200)
	}
	open, respond := newRequester(t)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"100 requests and answers", feed},
		{"the same in pieces", pieces},
		{"100 requests sent, 100 responses received", func() { open(); respond() }},
	} {
		c.f()
		if n := testing.AllocsPerRun(50, c.f); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestLongBodyNoAllocations: a long body that the peer reads in parts is written from buffers that are kept.
func TestLongBodyNoAllocations(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.headers(1, true, get...)
	p.flush()
	st := p.c.streams.get(1)
	p.c.WriteHead(st, 200, Outgoing{}, false)
	piece := make([]byte, 64<<10)
	write := func() {
		p.c.sendOpen, st.sendOpen = 1<<30, 1<<30
		for range 5 {
			p.c.WriteData(st, piece, false)
			p.c.Wrote(min(len(p.c.Output()), 50<<10))
		}
		p.c.Wrote(len(p.c.Output()))
	}
	write()
	if n := testing.AllocsPerRun(50, write); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSizes: what an idle connection and a stream cost, HPACK's tables and buffers aside.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name     string
		got, max uintptr
	}{
		{"Conn", unsafe.Sizeof(Conn{}), 1280},
		{"Stream", unsafe.Sizeof(Stream{}), 128},
	} {
		if c.got > c.max {
			t.Errorf("a %s has %d bytes, more than %d", c.name, c.got, c.max)
		}
		t.Logf("%s: %d bytes", c.name, c.got)
	}
}

// TestIdleMemory: what a connection holds between requests.
func TestIdleMemory(t *testing.T) {
	const n = 2000
	first := append([]byte(Preface), appendFrameHeader(nil, 0, frameSettings, 0, 0)...)
	shared := NewShared(Config{})
	conns := make([]*Conn, n)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	fresh := requests(rawPeer(t, Config{}, true), 1)
	before := heap()
	for i := range conns {
		r := &responder{body: make([]byte, 128)}
		r.c = shared.NewServer(1e9, r)
		conns[i] = r.c
		if r.c.Feed(1e9, first) != nil || r.c.Feed(1e9, fresh) != nil {
			t.Fatal(r.c.Err())
		}
		r.c.Wrote(len(r.c.Output()))
	}
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	if each > 16<<10 {
		t.Errorf("an idle connection holds %d bytes", each)
	}
	runtime.KeepAlive(conns)
}
