package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
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
		if !s.streams[1].stalled() {
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
		if s.streams[5].stalled() {
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
