package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// TestFloods: every flood ends with ENHANCE_YOUR_CALM and its name, after little work and in little memory,
// also where the answers are not read; and at a harmless rate it does not.
func TestFloods(t *testing.T) {
	id := uint32(0)
	next := func() uint32 { id += 2; return id - 1 }
	for _, c := range []struct {
		want Flood
		name string
		send func(p *peer, i int)
	}{
		{FloodReset, "rapid reset", func(p *peer, i int) { n := next(); p.headers(n, true, get...); p.f.WriteRSTStream(n, 8) }},
		{FloodFault, "made to reset by a window of 0", func(p *peer, i int) {
			n := next()
			p.headers(n, true, get...)
			p.raw(frameWindowUpdate, 0, n, "\x00\x00\x00\x00")
		}},
		{FloodFault, "made to reset by DATA after the end", func(p *peer, i int) { n := next(); p.headers(n, true, get...); p.f.WriteData(n, true, []byte("x")) }},
		{FloodFault, "made to reset by malformed requests", func(p *peer, i int) { p.headers(next(), true, "x=1") }},
		{FloodContinuation, "CONTINUATION without end", func(p *peer, i int) {
			if i == 0 {
				p.raw(frameHeaders, 0, next(), "")
			}
			p.raw(frameContinuation, 0, id-1, "")
		}},
		{FloodContinuation, "header block without end", func(p *peer, i int) {
			if i == 0 {
				p.raw(frameHeaders, 0, next(), "")
			}
			p.raw(frameContinuation, 0, id-1, strings.Repeat("\x00\x01x\x01y", 3000))
		}},
		{FloodSettings, "SETTINGS", func(p *peer, i int) { p.f.WriteSettings() }},
		{FloodPing, "PING", func(p *peer, i int) { p.f.WritePing(false, [8]byte{}) }},
		{FloodEmpty, "empty DATA", func(p *peer, i int) {
			if i == 0 {
				p.headers(next(), false, post...)
			}
			p.f.WriteData(id-1, false, nil)
		}},
		{FloodEmpty, "DATA of padding", func(p *peer, i int) {
			if i == 0 {
				p.headers(next(), false, post...)
			}
			p.raw(frameData, flagPadded, id-1, "\x01x")
		}},
		{FloodWindowUpdate, "WINDOW_UPDATE", func(p *peer, i int) { p.f.WriteWindowUpdate(0, 1) }},
		{FloodPriority, "PRIORITY", func(p *peer, i int) { p.f.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }},
		{FloodPriority, "unknown frames", func(p *peer, i int) { p.raw(0x77, 0, 0, "") }},
		{FloodClosed, "DATA on streams that we reset", func(p *peer, i int) {
			if i == 0 {
				p.headers(next(), false, post...)
				p.flush()
				p.c.Release(p.r.streams[id-1])
			}
			p.f.WriteData(id-1, false, []byte("x"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id = 2
			next()
			for _, rate := range []int64{0, 40} { // as fast as can be, and 40 a second
				id = 2
				p := newPeer(t, Config{}, true)
				sent := 0
				for ; sent < 10000 && p.err == nil; sent++ {
					c.send(p, sent)
					if rate > 0 {
						p.now += 1e9 / rate
						if sent%4 == 0 {
							p.frames()
						}
					}
					p.flush()
					if n := cap(p.c.out) + cap(p.c.in) + cap(p.c.block.buf); n > 1<<20 {
						t.Fatalf("%d bytes held", n)
					}
				}
				e, _ := p.err.(*ConnError)
				long := c.name == "header block without end"
				switch {
				case rate == 0 && (e == nil || e.Flood != c.want || e.Code != EnhanceYourCalm):
					t.Errorf("got %v after %d", p.err, sent)
				case rate > 0 && !long && p.err != nil:
					t.Errorf("harmless, but %v after %d", p.err, sent)
				}
			}
		})
	}
	for _, reads := range []int{1, 2} {
		t.Run("what one read may open and reset", func(t *testing.T) {
			p := newPeer(t, Config{}, true)
			for n := uint32(1); n <= 2*maxHasty+1; n += 2 {
				p.headers(n, true, get...)
				if reads == 2 {
					p.flush()
				}
				p.f.WriteRSTStream(n, 8)
			}
			p.flush()
			e, _ := p.err.(*ConnError)
			if cut := e != nil && e.Flood == FloodReset; cut != (reads == 1) {
				t.Errorf("%d streams, %d reads each: %v", maxHasty+1, reads, p.err)
			}
		})
	}
	t.Run("tiny windows", func(t *testing.T) {
		p, _ := newSender(t, Config{}, 1, 100000, http2.Setting{ID: 4, Val: 1})
		for i := 0; i < 10000 && p.err == nil; i++ {
			p.f.WriteWindowUpdate(1, 1)
			p.flush()
			p.frames()
		}
		if e, _ := p.err.(*ConnError); e == nil || e.Flood != FloodTinyWindow {
			t.Errorf("got %v", p.err)
		}
	})
	t.Run("answers that nobody reads", func(t *testing.T) {
		p := newPeer(t, Config{MaxOutput: 1000}, true)
		for i := 0; i < 10000 && p.err == nil; i++ {
			p.f.WritePing(false, [8]byte{})
			p.now += 1e9
			p.flush()
		}
		if e, _ := p.err.(*ConnError); e == nil || e.Flood != FloodOutput {
			t.Errorf("got %v", p.err)
		}
	})
	t.Run("requests that are answered are no flood", func(t *testing.T) {
		p := newPeer(t, Config{}, true)
		p.r.do = answer(p)
		for n := uint32(1); n < 20001; n += 2 {
			p.headers(n, true, get...)
			if n%16 == 1 {
				p.f.WritePing(false, [8]byte{})
				p.f.WriteWindowUpdate(0, 1)
			}
			p.flush()
			p.frames()
		}
		if p.err != nil || len(p.r.log) != 10000 {
			t.Errorf("%v after %d", p.err, len(p.r.log))
		}
	})
}

// TestUpdatesOfLongBody: a client that acknowledges each 4 KiB that it has read, twice, is no flood.
func TestUpdatesOfLongBody(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.headers(1, true, get...)
	p.flush()
	st := p.c.streams.get(1)
	p.c.WriteHead(st, 200, Outgoing{}, false)
	piece := make([]byte, 16<<10)
	for i := 0; i < 5000 && p.err == nil; i++ {
		if n := p.c.WriteData(st, piece, false); n != len(piece) {
			t.Fatalf("piece %d: %d bytes taken", i, n)
		}
		p.frames()
		for range len(piece) / (4 << 10) {
			p.f.WriteWindowUpdate(0, 4<<10)
			p.f.WriteWindowUpdate(1, 4<<10)
		}
		p.flush()
	}
	if p.err != nil {
		t.Error(p.err)
	}
}

// TestUpdatesBehindWindow: the same, from a client whose window lets the whole body be sent before it reads.
func TestUpdatesBehindWindow(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.f.WriteSettings(http2.Setting{ID: 4, Val: 1 << 30})
	p.f.WriteWindowUpdate(0, 1<<30)
	p.headers(1, true, get...)
	p.flush()
	st := p.c.streams.get(1)
	p.c.WriteHead(st, 200, Outgoing{}, false)
	piece := make([]byte, 16<<10)
	const pieces = 4000
	for range pieces {
		p.c.WriteData(st, piece, false)
		p.frames()
	}
	for i := 0; i < pieces && p.err == nil; i++ {
		for range len(piece) / (4 << 10) {
			p.f.WriteWindowUpdate(0, 4<<10)
			p.f.WriteWindowUpdate(1, 4<<10)
		}
		p.flush()
	}
	if p.err != nil {
		t.Error(p.err)
	}
}
