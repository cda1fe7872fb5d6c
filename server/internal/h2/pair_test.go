package h2

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestPair connects a client to a server and lets both do anything that handlers may do, at random, from within
// events and outside, with output cut anywhere on its way. Neither may complain about the other, no byte
// may be lost or moved, and in the end nothing may be left: streams, windows, what is held.
func TestPair(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { runPair(t, seed) })
	}
}

type side struct {
	t       *testing.T
	rng     *rand.Rand
	c       *Conn
	other   *side
	name    string
	streams map[*Stream]*talk
	order   []*Stream // those in use, as they came: a map has no order that a seed would give again
	events  int
}

// talk is one side of one stream.
type talk struct {
	sent, got int // body bytes, whose values tell their place
	held      int
	ended     bool // the other side
	headSent  bool
	waiting   bool
}

func runPair(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	config := Config{StreamWindow: 65535 + rng.Uint32N(100000), ConnWindow: 100000 + rng.Uint32N(200000), MaxStreams: 20, MaxOutput: 1 + rng.IntN(100000),
		TableSize: uint32(rng.IntN(8192))}
	a := &side{t: t, rng: rng, name: "client", streams: map[*Stream]*talk{}}
	b := &side{t: t, rng: rng, name: "server", streams: map[*Stream]*talk{}}
	a.other, b.other = b, a
	shared := NewShared(config)
	a.c = shared.NewClient(0, a, false)
	b.c = shared.NewServer(0, b)
	for i := range int64(3000) {
		for _, s := range []*side{a, b} {
			s.act(true)
			s.carry(i*1e9, rng.IntN(30000))
		}
	}
	for _, s := range []*side{a, b} {
		s.dropAll()
	}
	for i := int64(3000); len(a.c.Output())+len(b.c.Output()) > 0; i++ {
		a.carry(i*1e9, 1<<20)
		b.carry(i*1e9, 1<<20)
	}
	t.Logf("%d and %d events", a.events, b.events)
	if a.events < 1000 || b.events < 1000 {
		t.Errorf("%d and %d events", a.events, b.events)
	}
	for _, s := range []*side{a, b} {
		s.dropAll() // what arrived last
		c := s.c
		if c.err != nil || c.live != 0 || c.streams.n != 0 || c.queue.head != nil || c.data.active || c.in != nil {
			t.Errorf("%s: %v, %d live, %d open", s.name, c.err, c.live, c.streams.n)
		}
	}
	for i := int64(9000); len(a.c.Output())+len(b.c.Output()) > 0; i++ {
		a.carry(i*1e9, 1<<20)
		b.carry(i*1e9, 1<<20)
	}
	if a.c.sendOpen != b.c.recvOpen || b.c.sendOpen != a.c.recvOpen || a.c.recvOpen+a.c.credit != b.c.recvOpen+b.c.credit {
		t.Errorf("windows: %d and %d, %d and %d", a.c.sendOpen, b.c.recvOpen, b.c.sendOpen, a.c.recvOpen)
	}
}

// carry moves up to n bytes of output to the other side.
func (s *side) carry(now int64, n int) {
	out := append([]byte(nil), s.c.Output()...)
	out = out[:min(n, len(out))]
	s.c.Wrote(len(out))
	if err := s.other.c.Feed(now, out); err != nil {
		s.t.Fatalf("%s: %v", s.other.name, err)
	}
}

func (s *side) any() (*Stream, *talk) {
	n := s.rng.IntN(len(s.order) + 1)
	if n == len(s.order) {
		return nil, nil
	}
	return s.order[n], s.streams[s.order[n]]
}

// use begins the use of a stream.
func (s *side) use(st *Stream, k *talk) {
	s.streams[st] = k
	s.order = append(s.order, st)
}

// act does one thing. Within an event, streams are not opened or dropped at random, because that may be
// the event's own.
func (s *side) act(outside bool) {
	st, k := s.any()
	switch op := s.rng.IntN(12); {
	case op == 0 && outside && s.c.client != nil:
		s.open()
	case st == nil:
	case op == 1 && outside && s.rng.IntN(4) == 0:
		s.drop(st, k)
	case op == 2 && outside && s.rng.IntN(4) == 0:
		s.c.Reset(st, Cancel)
		s.drop(st, k)
	case op == 3 && s.c.server != nil && !k.headSent:
		if s.rng.IntN(3) == 0 {
			s.c.WriteInterim(st, 103, Outgoing{Lines: []byte("Link: x\r\n")})
		}
		k.headSent = true
		s.c.WriteHead(st, 200, Outgoing{Lines: []byte(fmt.Sprintf("X-Id: %d\r\nX-Same: same\r\n", st.ID()))}, false)
	case op < 7:
		n := min(s.rng.IntN(k.held+1), k.held)
		k.held -= n
		s.c.Consumed(st, n)
	case op < 11 && k.headSent && !st.SendEnded() && !k.waiting:
		s.write(st, k)
	case op == 11 && k.headSent && !st.SendEnded() && !k.waiting && s.rng.IntN(4) == 0:
		if s.rng.IntN(2) == 0 {
			s.c.WriteTrailers(st, Outgoing{Lines: []byte("X-Trailer: 1\r\n")})
		} else {
			s.c.WriteData(st, nil, true)
		}
	case outside && k.ended && st.SendEnded():
		s.drop(st, k)
	}
}

func (s *side) write(st *Stream, k *talk) {
	p := make([]byte, 1+s.rng.IntN(40000))
	for i := range p {
		p[i] = place(st, k.sent+i)
	}
	n := s.c.WriteData(st, p, false)
	k.sent += n
	k.waiting = n < len(p)
}

func place(st *Stream, i int) byte { return byte(int(st.ID())*7 + i + i>>8) }

func (s *side) open() {
	head := fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: a\r\nX-N: %d\r\nTransfer-Encoding: chunked\r\n\r\n", s.rng.IntN(3), s.rng.IntN(3))
	if st, ok := openGet(s.c, head); ok {
		s.use(st, &talk{headSent: true})
	}
}

// drop ends the use of a stream.
func (s *side) drop(st *Stream, k *talk) {
	if s.streams[st] == k {
		delete(s.streams, st)
		s.order = slices.DeleteFunc(s.order, func(o *Stream) bool { return o == st })
		s.c.Release(st)
	}
}

func (s *side) dropAll() {
	for len(s.order) > 0 {
		s.drop(s.order[0], s.streams[s.order[0]])
	}
}

func (s *side) event() {
	s.events++
	for range s.rng.IntN(3) {
		s.act(false)
	}
}

func (s *side) Request(st *Stream, q *message.Request, head []byte, end bool) {
	if s.streams[st] != nil {
		s.t.Fatal("a stream in use is announced again")
	}
	s.use(st, &talk{ended: end})
	s.event()
}

func (s *side) Response(st *Stream, q *message.Response, head []byte, end bool) { s.event() }

func (s *side) Data(st *Stream, p []byte, end bool) {
	k := s.streams[st]
	if k == nil || k.ended {
		s.t.Fatalf("%s: data on stream %d, which is not in use", s.name, st.ID())
	}
	for i := range p {
		if p[i] != place(st, k.got+i) {
			s.t.Fatalf("%s: stream %d: byte %d is wrong", s.name, st.ID(), k.got+i)
		}
	}
	k.got += len(p)
	k.held += len(p)
	k.ended = end
	s.event()
}

func (s *side) Trailers(st *Stream, t *message.Head, b []byte) {
	s.streams[st].ended = true
	s.event()
}

func (s *side) Writable(st *Stream) {
	k := s.streams[st]
	if k == nil || !k.waiting {
		s.t.Fatalf("%s: stream %d does not wait", s.name, st.ID())
	}
	k.waiting = false
	s.write(st, k)
}

func (s *side) Reset(st *Stream, code Code) {
	s.drop(st, s.streams[st])
	s.event()
}

func (s *side) Fault(st *Stream, f Fault) { s.t.Fatalf("%s: %s", s.name, f.Reason()) }
func (s *side) Flooded(Flood)             {}
func (s *side) Settings()                 {}
func (s *side) GoAway(uint32, Code)       {}
func (s *side) Pong(uint64)               {}
