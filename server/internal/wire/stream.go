package wire

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h2"
)

// Stream is the byte half of one stream of an HTTP/2 connection, in either role. It implements Bytes, and is embedded in the
// type that knows the request. Owned by its Loop; used for one stream after the other, from Begin to Free.
//
// Received bytes are offered while the codec delivers them, and stored only if the other side does not take them at once.
// The stream's window bounds their number; it is opened again for taken bytes.
type Stream struct {
	loop     *Loop
	H2       *h2.Conn
	H2Stream *h2.Stream // nil: not open yet, or free

	direct      []byte // being delivered, aliases the read
	in          Buffer // delivered, and not taken
	GotTrailers []byte // field lines with CR LF
	Complete    bool   // nothing follows the held bytes
	Gathering   bool   // in the session's list of those whose small pieces were stored, see Gather
	Gone        bool   // reset, by either end

	out         Buffer // offered to the codec, and not taken
	outTrailers []byte
	outEnd      bool // the body that is sent ends behind out
}

// Begin sets s up for the stream st of c. st is nil where the stream is still to be opened.
func (s *Stream) Begin(l *Loop, c *h2.Conn, st *h2.Stream) {
	*s = Stream{loop: l, H2: c, H2Stream: st, GotTrailers: s.GotTrailers[:0], outTrailers: s.outTrailers[:0]}
}

// Free ends the use of the stream.
func (s *Stream) Free() {
	l := s.loop
	if s.H2Stream != nil {
		s.H2.Release(s.H2Stream)
	}
	l.Buffers.Release(&s.in)
	l.Buffers.Release(&s.out)
	*s = Stream{loop: l, GotTrailers: Reuse(s.GotTrailers), outTrailers: Reuse(s.outTrailers)}
}

// SmallPiece is the length below which DATA is stored until the whole read has been handled, bytes. A body in frames of ten
// bytes would otherwise take ten writes for each hundred bytes read, and as many reads of the receiver.
const SmallPiece = 1 << 10

// Gather stores p, a small piece that does not end the body, and reports whether the session has to list the stream.
//
// hot: runs per small piece of a body; no alloc, no lock.
func (s *Stream) Gather(p []byte) (list bool) {
	s.loop.Buffers.Append(&s.in, p)
	list = !s.Gathering
	s.Gathering = true
	return list
}

// Offer holds p, which is valid during the caller's call alone, or stores it where older bytes are stored; Store keeps the
// part of p that was not taken.
func (s *Stream) Offer(p []byte) {
	if s.in.Len() > 0 {
		s.loop.Buffers.Append(&s.in, p)
		return
	}
	s.direct = p
}

// Store keeps the bytes that were offered and not taken.
func (s *Stream) Store() {
	if len(s.direct) > 0 {
		s.loop.Buffers.Append(&s.in, s.direct)
	}
	s.direct = nil
}

// Held implements Bytes.
func (s *Stream) Held() []byte {
	if s.direct != nil {
		return s.direct
	}
	return s.in.Bytes()
}

// Drop implements Bytes, and opens the window for the taken bytes.
func (s *Stream) Drop(n int) {
	if s.direct != nil {
		s.direct = s.direct[n:]
	} else {
		s.loop.Buffers.Consume(&s.in, n)
	}
	if s.H2Stream != nil && !s.Gone {
		s.H2.Consumed(s.H2Stream, n)
	}
}

// The rest of the reading half of Bytes. Bytes come by Offer alone.

func (s *Stream) Keep([]byte)       {}
func (s *Stream) Read([]byte) int   { return 0 }
func (s *Stream) Ended() bool       { return s.Complete && len(s.Held()) == 0 }
func (s *Stream) EndedWell() bool   { return s.Ended() && !s.Lost() }
func (s *Stream) Lost() bool        { return s.Gone && !(s.Complete && len(s.Held()) > 0) }
func (s *Stream) WriteBroken() bool { return s.Gone }
func (s *Stream) LastHeld() bool    { return s.Complete && len(s.GotTrailers) == 0 }
func (s *Stream) Trailers() []byte  { return s.GotTrailers }
func (s *Stream) Plain() *Sock      { return nil }

func (s *Stream) Pending() int { return s.out.Len() }

// Unacknowledged implements Bytes. Bytes that the codec has taken go out before a reset of the stream.
func (s *Stream) Unacknowledged() int {
	if s.Gone {
		return 0
	}
	return s.out.Len()
}

// Send implements Bytes.
//
// hot: runs per piece of a body; no alloc, no lock.
func (s *Stream) Send(p []byte, last bool) {
	if s.Gone || len(p) == 0 && !last {
		return
	}
	if s.out.Len() > 0 {
		s.loop.Buffers.Append(&s.out, p)
		s.outEnd = s.outEnd || last
		return
	}
	n := s.H2.WriteData(s.H2Stream, p, last)
	if n < len(p) {
		s.loop.Buffers.Append(&s.out, p[n:])
		s.outEnd = last
	}
}

// Flush implements Bytes.
func (s *Stream) Flush() bool {
	if s.out.Len() == 0 || s.Gone {
		return true
	}
	n := s.H2.WriteData(s.H2Stream, s.out.Bytes(), s.outEnd)
	s.loop.Buffers.Consume(&s.out, n)
	if s.out.Len() > 0 {
		return false
	}
	if len(s.outTrailers) > 0 {
		s.H2.WriteTrailers(s.H2Stream, h2.Outgoing{Lines: s.outTrailers})
	}
	return true
}

// SendTrailers implements Bytes.
func (s *Stream) SendTrailers(lines []byte) {
	switch {
	case s.Gone:
	case s.out.Len() > 0:
		s.outTrailers = append(s.outTrailers[:0], lines...)
	default:
		s.H2.WriteTrailers(s.H2Stream, h2.Outgoing{Lines: bytes.Clone(lines)})
	}
}

// ShutWrite implements Bytes.
func (s *Stream) ShutWrite() { s.Send(nil, true) }

// Holds returns how many bytes of memory s has borrowed.
func (s *Stream) Holds() int64 { return int64(s.in.borrowed() + s.out.borrowed()) }
