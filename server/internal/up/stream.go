package up

import (
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Stream is one request on an HTTP/2 connection to an Endpoint: the exchange.Up of its Exchange. Made and
// pooled by its worker; owned by the loop.
//
//	attach ──► waits for its Session ──► begin: open, or gone where the Session takes no more ──► free
type Stream struct {
	wire.Stream
	w       *Loop
	s       *Session
	x       *exchange.Core
	listed  bool // in the session's list
	refused bool // the Endpoint did nothing for the request
	first   bool // of its session
	trailed bool // trailers were sent
}

// attach makes x's side of a new stream of s, which is opened by begin.
//
// hot: runs per request; no alloc, no lock.
func (s *Session) attach(x *exchange.Core) *Stream {
	w := s.w
	u := w.freeS.Take()
	if u == nil {
		u = &Stream{}
	}
	u.Stream.Begin(&w.Loop.Loop, s.H2, nil)
	u.w = w
	u.s, u.x = s, x
	u.first = s.requests == 0
	u.listed = true
	s.requests++
	s.streams = append(s.streams, u)
	return u
}

// gathered passes on what was stored.
func (u *Stream) gathered() {
	u.Gathering = false
	if u.x != nil {
		u.x.ClientSide().Pump()
	}
}

// Established implements exchange.Up. An Upgrade has to wait until the Endpoint has said that it takes one.
//
// hot: runs per request; no alloc, no lock.
func (u *Stream) Established() bool {
	return u.H2Stream != nil || u.Gone || !u.s.Connecting && !u.s.Shaking && (u.s.settled || !u.x.Upgrades())
}

func (u *Stream) Reused() bool      { return !u.first }
func (u *Stream) Unprocessed() bool { return u.refused || u.H2Stream == nil }

// Provoked implements exchange.Up: the Endpoint got trailers, and may be one that ends the connection for them. Else a client could
// have an Endpoint ejected with those.
func (u *Stream) Provoked() bool { return u.trailed }

// Exclusive implements exchange.Up. A lone session counts as shared: descriptors of it are bounded by the requests of a source.
func (u *Stream) Exclusive() bool { return false }

// TimedOut implements exchange.Up: the next request would wait for the same session.
func (u *Stream) TimedOut() { u.s.retire() }

// BreakOff implements exchange.Up: a stream that is given up is reset anyway.
func (u *Stream) BreakOff() {}

func (u *Stream) UnknownLength() exchange.Framing { return exchange.FrameStream }

// SendRequest implements exchange.Up.
//
// hot: runs per request; no alloc, no lock.
func (u *Stream) SendRequest(x *exchange.Core) (wrote bool, fail *exchange.Failure) {
	req, o, end := x.Outgoing()
	st, ok := u.H2.OpenRequest(req, o, end)
	if !ok {
		u.Gone = true
		u.s.touch()
		if x.Upgrades() && u.s.H2.Settled() && !u.s.H2.ExtendedConnect() {
			return false, exchange.FailNoUpgrade
		}
		return false, nil
	}
	u.H2Stream = st
	st.Owner = u
	if !end && !x.Upgrades() {
		x.PassEarly(u)
	}
	u.s.touch()
	return true, nil
}

// ReadHead implements exchange.Up: heads come by the session, so that only its end is left to be seen.
func (u *Stream) ReadHead(x *exchange.Core) bool {
	if u.Gone {
		x.UpstreamEnds()
	}
	return false
}

// Send implements wire.Bytes.
//
// hot: runs per piece of a body; no alloc, no lock.
func (u *Stream) Send(p []byte, last bool) {
	u.Stream.Send(p, last)
	u.s.touch()
}

// Drop implements wire.Bytes: the window that opens has to be told.
func (u *Stream) Drop(n int) {
	u.Stream.Drop(n)
	u.s.touch()
}

func (u *Stream) Flush() bool {
	done := u.Stream.Flush()
	u.s.touch()
	return done
}

// SendTrailers implements wire.Bytes. On a session that others share none are sent: see lone.go.
func (u *Stream) SendTrailers(lines []byte) {
	if u.s.lone == loneNot {
		u.Send(nil, true)
		return
	}
	u.trailed = true
	u.Stream.SendTrailers(lines)
	u.s.touch()
}

func (u *Stream) ShutWrite() { u.Send(nil, true) }

// Lost implements wire.Bytes: a response that is complete is not lost with its stream, though it may wait for the client.
func (u *Stream) Lost() bool { return u.Gone && !u.Complete }

func (u *Stream) EndedWell() bool { return u.Ended() && !u.Lost() }

// release, abandon and stale implement exchange.Up: what is not complete is reset, and the session goes on.
func (u *Stream) Release(now int64) { u.free(now) }
func (u *Stream) Abandon()          { u.free(u.w.Now()) }
func (u *Stream) Stale(now int64)   { u.free(now) }

// free gives the stream back.
func (u *Stream) free(now int64) {
	w, s := u.w, u.s
	if u.listed {
		i := slices.Index(s.streams, u)
		last := len(s.streams) - 1
		s.streams[i] = s.streams[last]
		s.streams[last] = nil
		s.streams = s.streams[:last]
	}
	if s.closed {
		u.H2Stream = nil // the session's end takes it
	}
	if len(s.streams) == 0 {
		s.idleSince = now
	}
	s.touch()
	u.Stream.Free()
	if s.lone == loneBusy {
		s.askLone()
	}
	*u = Stream{w: w, Stream: u.Stream}
	w.freeS.Put(u)
	w.WakeJanitor()
}
