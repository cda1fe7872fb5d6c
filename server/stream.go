package server

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h2"
)

// streamSide is what the two ends of an Exchange on HTTP/2 have in common: the byte part of a side.
//
// Bytes that arrive are offered while the codec delivers them, and stored only when the other side does not
// take them at once. How much that can be is bounded by the stream's window, which is opened again
// for what was taken.
type streamSide struct {
	loop *wireLoop
	h2   *h2.Conn
	st   *h2.Stream // nil: free

	direct      []byte // being delivered, aliases the read
	in          buffer // delivered, and not taken
	gotTrailers []byte
	recvEnd     bool // no more will come behind in
	gathering   bool // in the session's list of those whose small pieces were stored, see gather
	gone        bool // reset, by either end

	out         buffer // offered to the codec, and not taken
	outTrailers []byte
	outEnd      bool // our direction ends behind out
}

func (s *streamSide) init(l *wireLoop, c *h2.Conn, st *h2.Stream) {
	*s = streamSide{loop: l, h2: c, st: st, gotTrailers: s.gotTrailers[:0], outTrailers: s.outTrailers[:0]}
}

// free ends the use of the stream.
func (s *streamSide) free() {
	l := s.loop
	if s.st != nil {
		s.h2.Release(s.st)
	}
	l.buffers.release(&s.in)
	l.buffers.release(&s.out)
	*s = streamSide{loop: l, gotTrailers: reuse(s.gotTrailers), outTrailers: reuse(s.outTrailers)}
}

// smallPiece is the length below which DATA is stored until all that was read has been handled. A body in frames of ten
// bytes would be ten writes for each hundred bytes that were read, and as many reads of whoever it is for.
const smallPiece = 1 << 10

// gather stores p, a small piece that does not end the body, and reports whether the session has to list the stream.
//
// hot: runs per small piece of a body; no alloc, no lock.
func (s *streamSide) gather(p []byte) (list bool) {
	s.loop.buffers.append(&s.in, p)
	list = !s.gathering
	s.gathering = true
	return list
}

// offer makes p what is held, behind what is stored; store keeps what was not taken of it.
func (s *streamSide) offer(p []byte) {
	if s.in.len() > 0 {
		s.loop.buffers.append(&s.in, p)
		return
	}
	s.direct = p
}

func (s *streamSide) store() {
	if len(s.direct) > 0 {
		s.loop.buffers.append(&s.in, s.direct)
	}
	s.direct = nil
}

func (s *streamSide) held() []byte {
	if s.direct != nil {
		return s.direct
	}
	return s.in.bytes()
}

func (s *streamSide) drop(n int) {
	if s.direct != nil {
		s.direct = s.direct[n:]
	} else {
		s.loop.buffers.consume(&s.in, n)
	}
	if s.st != nil && !s.gone {
		s.h2.Consumed(s.st, n)
	}
}

func (s *streamSide) keep([]byte)      {}
func (s *streamSide) read([]byte) int  { return 0 }
func (s *streamSide) ended() bool      { return s.recvEnd && len(s.held()) == 0 }
func (s *streamSide) endedWell() bool  { return s.ended() && !s.lost() }
func (s *streamSide) lost() bool       { return s.gone && !(s.recvEnd && len(s.held()) > 0) }
func (s *streamSide) deaf() bool       { return s.gone }
func (s *streamSide) lastHeld() bool   { return s.recvEnd && len(s.gotTrailers) == 0 }
func (s *streamSide) trailers() []byte { return s.gotTrailers }
func (s *streamSide) plain() *sock     { return nil }

func (s *streamSide) pending() int { return s.out.len() }

// unacknowledged implements side. What the codec has taken goes out before a reset of the stream.
func (s *streamSide) unacknowledged() int {
	if s.gone {
		return 0
	}
	return s.out.len()
}

// send implements side.
//
// hot: runs per piece of a body; no alloc, no lock.
func (s *streamSide) send(p []byte, last bool) {
	if s.gone || len(p) == 0 && !last {
		return
	}
	if s.out.len() > 0 {
		s.loop.buffers.append(&s.out, p)
		s.outEnd = s.outEnd || last
		return
	}
	n := s.h2.WriteData(s.st, p, last)
	if n < len(p) {
		s.loop.buffers.append(&s.out, p[n:])
		s.outEnd = last
	}
}

// flush implements side.
func (s *streamSide) flush() bool {
	if s.out.len() == 0 || s.gone {
		return true
	}
	n := s.h2.WriteData(s.st, s.out.bytes(), s.outEnd)
	s.loop.buffers.consume(&s.out, n)
	if s.out.len() > 0 {
		return false
	}
	if len(s.outTrailers) > 0 {
		s.h2.WriteTrailers(s.st, h2.Outgoing{Lines: s.outTrailers})
	}
	return true
}

func (s *streamSide) sendTrailers(lines []byte) {
	switch {
	case s.gone:
	case s.out.len() > 0:
		s.outTrailers = append(s.outTrailers[:0], lines...)
	default:
		s.h2.WriteTrailers(s.st, h2.Outgoing{Lines: bytes.Clone(lines)})
	}
}

func (s *streamSide) shutWrite() { s.send(nil, true) }

// holds returns how many bytes of memory wait on s.
func (s *streamSide) holds() int64 { return int64(s.in.cap() + s.out.cap()) }
