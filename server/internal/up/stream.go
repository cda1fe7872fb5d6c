package up

import (
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Stream is one request on an HTTP/2 connection to an Endpoint: the exchange.Up of its Exchange. Made, pooled and owned by
// its loop.
//
//	newStream ──► waits for its Session ──► SendRequest: open, or gone where the Session takes no more ──► free
type Stream struct {
	wire.Stream
	w              *Loop
	s              *Session
	x              *exchange.Core
	listed         bool // in the Session's list
	refused        bool // the Endpoint has declared the request unprocessed: REFUSED_STREAM
	firstOfSession bool // of its session
	sentTrailers   bool // trailers were sent
}

// newStream makes x's side of a stream of s, which SendRequest opens.
//
// hot: runs per request; no alloc, no lock.
func (s *Session) newStream(x *exchange.Core) *Stream {
	w := s.w
	u := w.freeStreams.Take()
	if u == nil {
		u = &Stream{}
	}
	u.Stream.Begin(&w.Loop.Loop, s.H2, nil)
	u.w = w
	u.s, u.x = s, x
	u.firstOfSession = s.requests == 0
	u.listed = true
	s.requests++
	s.streams = append(s.streams, u)
	return u
}

// pumpGathered pumps the small pieces that were stored during the read.
func (u *Stream) pumpGathered() {
	u.Gathering = false
	if u.x != nil {
		u.x.ClientSide().Pump()
	}
}

// Established implements exchange.Up. An Upgrade waits until the Endpoint's SETTINGS tell whether it takes one.
//
// hot: runs per request; no alloc, no lock.
func (u *Stream) Established() bool {
	return u.H2Stream != nil || u.Gone || !u.s.Connecting && !u.s.Shaking && (u.s.gotSettings || !u.x.Upgrades())
}

// Reused implements exchange.Up.
func (u *Stream) Reused() bool { return !u.firstOfSession }

// Unprocessed implements exchange.Up.
func (u *Stream) Unprocessed() bool { return u.refused || u.H2Stream == nil }

// Provoked implements exchange.Up: the Endpoint was sent trailers, for which some end the connection. A client could
// otherwise have an Endpoint ejected by sending trailers.
func (u *Stream) Provoked() bool { return u.sentTrailers }

// Exclusive implements exchange.Up. A lone Session counts as shared: the requests of a Source bound its number.
func (u *Stream) Exclusive() bool { return false }

// TimedOut implements exchange.Up: the next request does not wait for the same Session.
func (u *Stream) TimedOut() { u.s.retire() }

// BreakOff implements exchange.Up: Abandon resets a stream.
func (u *Stream) BreakOff() {}

// UnknownLength implements exchange.Up.
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
		x.SendEarly(u)
	}
	u.s.touch()
	return true, nil
}

// ReadHead implements exchange.Up. Heads come by Session.Response, so that it only looks for the stream's end.
func (u *Stream) ReadHead(x *exchange.Core) bool {
	if u.Gone {
		x.EndpointEnded()
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

// Drop implements wire.Bytes. The output has a WINDOW_UPDATE then.
func (u *Stream) Drop(n int) {
	u.Stream.Drop(n)
	u.s.touch()
}

// Flush implements wire.Bytes.
func (u *Stream) Flush() bool {
	done := u.Stream.Flush()
	u.s.touch()
	return done
}

// SendTrailers implements wire.Bytes. On a shared Session trailers are left out: see lone.go.
func (u *Stream) SendTrailers(lines []byte) {
	if u.s.lone == loneNot {
		u.Send(nil, true)
		return
	}
	u.sentTrailers = true
	u.Stream.SendTrailers(lines)
	u.s.touch()
}

// ShutWrite implements wire.Bytes.
func (u *Stream) ShutWrite() { u.Send(nil, true) }

// Lost implements wire.Bytes: a complete response, which may wait for the client, is not lost with its stream.
func (u *Stream) Lost() bool { return u.Gone && !u.Complete }

// EndedWell implements wire.Bytes.
func (u *Stream) EndedWell() bool { return u.Ended() && !u.Lost() }

// Release, Abandon and Stale implement exchange.Up: a stream that is not complete is reset, and the Session goes on.
func (u *Stream) Release(now int64) { u.free(now) }
func (u *Stream) Abandon()          { u.free(u.w.Now()) }
func (u *Stream) Stale(now int64)   { u.free(now) }

// free releases the stream and its memory, and pools u.
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
	w.freeStreams.Put(u)
	w.WakeJanitor()
}
