package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestReceiving: windows are updated when half of one was consumed, and by nothing else: section 6.9.
func TestReceiving(t *testing.T) {
	frame := make([]byte, maxFrame)
	config := Config{StreamWindow: 64 << 10, ConnWindow: 96 << 10}
	runExchanges(t, true, config, []exchange{
		{"nothing is updated before half was consumed", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteData(1, false, frame)
		}, postEvent + "; 1 data 16384", ""},
		{"half of the stream's window", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteData(1, false, frame)
			p.f.WriteData(1, false, frame)
		}, postEvent + "; 1 data 16384; 1 data 16384", "1 WINDOW +32768"},
		{"half of the connection's window, by three streams", func(p *peer) {
			for id := uint32(1); id <= 5; id += 2 {
				p.headers(id, false, post...)
				p.f.WriteData(id, false, frame)
			}
		}, postEvent + "; 1 data 16384; 3 request POST / host=a; 3 data 16384; 5 request POST / host=a; 5 data 16384", "0 WINDOW +49152"},
		{"a stream that has ended is not updated", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteData(1, false, frame)
			p.f.WriteData(1, true, frame)
		}, postEvent + "; 1 data 16384; 1 data 16384 end", ""},
		{"padding is consumed at once", func(p *peer) {
			p.r.keep = true
			p.headers(1, false, post...)
			for range 256 {
				p.raw(frameData, flagPadded, 1, "\xff"+strings.Repeat("\x00", 255))
				p.c.budget.work = 1000 // no flood here
			}
		}, postEvent, "1 WINDOW +32768; 0 WINDOW +49152; 1 WINDOW +32768"},
		{"beyond the stream's window", func(p *peer) {
			p.r.keep = true
			p.headers(1, false, post...)
			for range 5 {
				p.f.WriteData(1, false, frame)
			}
		}, postEvent + strings.Repeat("; 1 data 16384", 4) + "; 1 fault flow-control window exceeded", "1 RST FLOW_CONTROL_ERROR; 0 WINDOW +65536"},
		{"beyond the connection's window", func(p *peer) {
			p.r.keep = true
			p.headers(1, false, post...)
			p.headers(3, false, post...)
			for range 4 {
				p.f.WriteData(1, false, frame)
			}
			for range 3 {
				p.f.WriteData(3, false, frame)
			}
		}, postEvent + "; 3 request POST / host=a" + strings.Repeat("; 1 data 16384", 4) + strings.Repeat("; 3 data 16384", 2), "GOAWAY 3 FLOW_CONTROL_ERROR"},
		{"what is released counts as consumed", func(p *peer) {
			p.r.keep = true
			p.headers(1, false, post...)
			for range 3 {
				p.f.WriteData(1, false, frame)
			}
			p.flush()
			p.c.Release(p.r.streams[1])
			p.headers(3, true, get...)
		}, postEvent + strings.Repeat("; 1 data 16384", 3) + "; 3 request GET / host=a end", "1 RST CANCEL; 0 WINDOW +49152"},
		{"DATA that nobody wants counts as consumed", func(p *peer) {
			p.headers(1, false, post...)
			p.flush()
			p.c.Release(p.r.streams[1])
			for range 3 {
				p.f.WriteData(1, false, frame)
			}
		}, postEvent, "1 RST CANCEL; 0 WINDOW +49152"},
	})
}

// sender is a handler that has a body for every stream.
type sender struct {
	recorder
	size int
	left map[uint32]int
}

func (s *sender) offer(st *Stream) {
	n := s.left[st.ID()]
	s.left[st.ID()] -= s.c.WriteData(st, make([]byte, n), true)
}

func newSender(t *testing.T, config Config, streams, size int, settings ...http2.Setting) (*peer, *sender) {
	p := newPeer(t, config, true)
	s := &sender{size: size, left: map[uint32]int{}}
	s.c = p.c
	p.c.server, p.c.h = s, s
	s.do = func(e string, st *Stream) {
		switch {
		case strings.Contains(e, " request "):
			s.left[st.ID()] = size
			p.c.WriteHead(st, 200, Outgoing{}, false)
			s.offer(st)
		case strings.HasSuffix(e, " writable"):
			s.offer(st)
		}
	}
	if settings != nil {
		p.f.WriteSettings(settings...)
	}
	for id := uint32(1); int(id) < 2*streams; id += 2 {
		p.headers(id, true, get...)
	}
	p.flush()
	return p, s
}

// TestSending: neither window nor MaxOutput is exceeded, and streams take turns.
func TestSending(t *testing.T) {
	data := func(list []string) (sum int, order []string) {
		for _, f := range list {
			var id, n int
			if i := strings.Index(f, " DATA "); i > 0 {
				for _, c := range f[i+6:] {
					if c == ' ' {
						break
					}
					n = n*10 + int(c-'0')
				}
				for _, c := range f[:i] {
					id = id*10 + int(c-'0')
				}
				sum += n
				order = append(order, f[:i])
			}
		}
		return sum, order
	}
	t.Run("the stream's window", func(t *testing.T) {
		p, s := newSender(t, Config{}, 1, 1000, http2.Setting{ID: 4, Val: 300})
		if n, _ := data(p.frames()); n != 300 {
			t.Errorf("%d bytes sent", n)
		}
		if !s.streams[1].Stalled() {
			t.Error("not stalled")
		}
		p.f.WriteWindowUpdate(1, 200)
		p.flush()
		if n, _ := data(p.frames()); n != 200 {
			t.Errorf("%d bytes sent", n)
		}
		p.f.WriteSettings(http2.Setting{ID: 4, Val: 100}) // 200 less: negative
		p.f.WriteWindowUpdate(1, 200)
		p.flush()
		if n, _ := data(p.frames()); n != 0 {
			t.Errorf("%d bytes sent", n)
		}
		p.f.WriteSettings(http2.Setting{ID: 4, Val: 10000})
		p.flush()
		if n, _ := data(p.frames()); n != 500 || !s.streams[1].Closed() {
			t.Errorf("%d bytes sent", n)
		}
	})
	t.Run("the connection's window", func(t *testing.T) {
		p, s := newSender(t, Config{}, 3, 30000)
		if n, _ := data(p.frames()); n != defaultWindow {
			t.Errorf("%d bytes sent", n)
		}
		if s.streams[5].Stalled() {
			t.Error("it is the connection that is stalled")
		}
		p.f.WriteWindowUpdate(0, 1<<20)
		p.flush()
		if n, _ := data(p.frames()); n != 90000-defaultWindow || p.c.Open() != 0 {
			t.Errorf("%d bytes sent, %d streams open", n, p.c.Open())
		}
	})
	t.Run("the room in the output, in turn", func(t *testing.T) {
		p, _ := newSender(t, Config{MaxOutput: 64 << 10, MaxStreams: 4}, 4, 256<<10, http2.Setting{ID: 4, Val: 1 << 20})
		p.f.WriteWindowUpdate(0, 1<<30)
		p.flush()
		if n := len(p.c.Output()); n < 64<<10 || n > 81<<10 {
			t.Errorf("%d bytes of output", n)
		}
		sum := 0
		var turns []string
		for len(p.c.Output()) > 0 {
			n, order := data(p.frames())
			sum += n
			turns = append(turns, order...)
			if len(p.c.Output()) > 90<<10 {
				t.Errorf("%d bytes of output", len(p.c.Output()))
			}
		}
		if sum != 4*256<<10 || p.c.Open() != 0 {
			t.Errorf("%d bytes sent, %d streams open", sum, p.c.Open())
		}
		for i, at := range turns[16:32] {
			if at == turns[16+i-1] {
				t.Errorf("one stream twice in a row: %v", turns[16:32])
				break
			}
		}
	})
	t.Run("a stalled stream does not hold up the others", func(t *testing.T) {
		p, _ := newSender(t, Config{}, 2, 1000, http2.Setting{ID: 4, Val: 0})
		p.frames()
		p.f.WriteWindowUpdate(3, 5000)
		p.flush()
		if n, order := data(p.frames()); n != 1000 || order[0] != "3" {
			t.Errorf("%d bytes sent, %v", n, order)
		}
	})
}

// TestDrain: GOAWAY in two phases, section 6.8.
func TestDrain(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.headers(1, true, get...)
	p.flush()
	p.c.GoAway(false)
	p.headers(3, true, get...) // was on its way
	p.flush()
	p.c.GoAway(true)
	p.headers(5, false, with(post, "x-new=1")...) // too late: ignored to its end, but for HPACK
	p.f.WriteData(5, false, []byte("x"))
	p.headers(5, true, "x-new=1")
	p.flush()
	if got := strings.Join(p.frames(), "; "); got != "GOAWAY 2147483647 NO_ERROR; GOAWAY 3 NO_ERROR" {
		t.Errorf("output %s", got)
	}
	if got := strings.Join(p.r.log, "; "); got != getEvent+"; 3 request GET / host=a end" {
		t.Errorf("events %s", got)
	}
	if p.c.Open() != 2 || p.c.Err() != nil {
		t.Errorf("%d open, %v", p.c.Open(), p.c.Err())
	}
	p.raw(framePing, 0, 1, "12345678")
	p.flush()
	if got := strings.Join(p.frames(), "; "); got != "GOAWAY 3 PROTOCOL_ERROR" {
		t.Errorf("the last stream went up: %s", got)
	}
}

// TestOwner: what the owner of a connection steers by.
func TestOwner(t *testing.T) {
	p := newPeer(t, Config{MaxOutput: 1000}, true)
	p.headers(1, true, ":method=HEAD", ":scheme=http", ":path=/", ":authority=a")
	p.flush()
	s := p.r.streams[1]
	if s.Method() != message.MethodHead || !p.c.Settled() || p.c.ExtendedConnect() {
		t.Errorf("method %v, settled %v", s.Method(), p.c.Settled())
	}
	p.c.Ping(77)
	if got := strings.Join(p.frames(), "; "); got != "PING ack=false 000000000000004d" {
		t.Errorf("output %s", got)
	}
	if p.c.Congested() {
		t.Error("congested without output")
	}
	for range 200 {
		p.f.WritePing(false, [8]byte{})
	}
	p.flush()
	if !p.c.Congested() || p.c.Err() != nil {
		t.Errorf("%d bytes of output: %v", len(p.c.Output()), p.c.Err())
	}
	p.c.Wrote(len(p.c.Output()))
	if p.c.Congested() || p.c.out != nil {
		t.Error("congested after all was written")
	}
	p.c.fail(floodErrors[FloodPing])
	if err := p.c.Err(); err == nil || err.Error() != "ENHANCE_YOUR_CALM: too much of: ping" {
		t.Errorf("error %v", err)
	}
	p.c.WriteHead(s, 200, Outgoing{}, false) // nothing is sent any more
	p.c.WriteInterim(s, 103, Outgoing{})
	p.c.WriteTrailers(s, Outgoing{})
	p.c.Release(s)
	if got := strings.Join(p.frames(), "; "); got != "GOAWAY 1 ENHANCE_YOUR_CALM" {
		t.Errorf("output %s", got)
	}
	if Code(99).String() != "UNKNOWN" {
		t.Error("a name for code 99")
	}
}

// TestReuse: a connection that was closed in the middle of everything serves the next peer like a new one.
func TestReuse(t *testing.T) {
	p := newPeer(t, Config{}, true)
	shared := p.c.shared
	p.f.WriteSettings(http2.Setting{ID: 4, Val: 5}, http2.Setting{ID: 1, Val: 0})
	p.headers(1, false, with(post, "x-new=1")...)
	p.headers(3, true, get...)
	p.flush()
	p.c.GoAway(true)
	p.raw(frameHeaders, 0, 5, "half a block")
	p.raw(frameContinuation, 0, 5, "half a frame")
	p.in.Truncate(p.in.Len() - 4)
	p.flush()
	if p.err != nil || p.c.Open() != 2 || p.c.in == nil || !p.c.block.active {
		t.Fatalf("%v, %d open", p.err, p.c.Open())
	}
	old := p.c
	old.Close()

	q := &peer{t: t, r: &recorder{}, now: 1e9, dec: p.dec}
	q.c = shared.NewServer(q.now, q.r)
	if q.c != old {
		t.Error("not reused")
	}
	q.r.c = q.c
	fresh := rawPeer(t, Config{}, true)
	for _, x := range []*peer{q, fresh} {
		if x == q {
			x.f, x.enc, x.dec = http2.NewFramer(&x.in, nil), hpack.NewEncoder(&x.hb), hpack.NewDecoder(4096, nil)
		}
		x.in.WriteString(Preface)
		x.f.WriteSettings()
		x.r.do = answer(x)
		x.headers(1, true, with(get, "x-new=1")...)
		x.flush()
	}
	if got, want := strings.Join(q.r.log, "; "), strings.Join(fresh.r.log, "; "); got != want {
		t.Errorf("events %s, of a new one %s", got, want)
	}
	if got, want := strings.Join(q.frames(), "; "), strings.Join(fresh.frames(), "; "); got != want {
		t.Errorf("output %s, of a new one %s", got, want)
	}
}

// TestFloods: every flood ends with ENHANCE_YOUR_CALM and its name, after little work and in little memory,
// also where nobody reads the answers; and at a rate that means no harm it does not.
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
