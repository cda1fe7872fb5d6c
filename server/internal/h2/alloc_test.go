//go:build !race

package h2

import (
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
