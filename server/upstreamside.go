package server

import (
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// upStream is one request on an HTTP/2 connection to an Endpoint: the upSide of its Exchange. Made and
// pooled by its worker; owned by the loop.
//
//	attach ──► waits for its Session ──► begin: open, or gone where the Session takes no more ──► free
type upStream struct {
	wire.Stream
	w       *upLoop
	s       *upSession
	x       *core
	listed  bool // in the session's list
	refused bool // the Endpoint did nothing for the request
	first   bool // of its session
	trailed bool // trailers were sent
}

// attach makes x's side of a new stream of s, which is opened by begin.
//
// hot: runs per request; no alloc, no lock.
func (s *upSession) attach(x *core) *upStream {
	w := s.w
	u := w.freeS.Take()
	if u == nil {
		u = &upStream{}
	}
	u.Stream.Begin(&w.coreLoop.Loop, s.H2, nil)
	u.w = w
	u.s, u.x = s, x
	u.first = s.requests == 0
	u.listed = true
	s.requests++
	s.streams = append(s.streams, u)
	return u
}

// gathered passes on what was stored.
func (u *upStream) gathered() {
	u.Gathering = false
	if u.x != nil {
		u.x.clientSide().pump()
	}
}

// established implements upSide. An Upgrade has to wait until the Endpoint has said that it takes one.
//
// hot: runs per request; no alloc, no lock.
func (u *upStream) established() bool {
	return u.H2Stream != nil || u.Gone || !u.s.Connecting && !u.s.Shaking && (u.s.settled || !u.x.upgrades())
}

func (u *upStream) Reused() bool      { return !u.first }
func (u *upStream) unprocessed() bool { return u.refused || u.H2Stream == nil }

// provoked implements upSide: the Endpoint got trailers, and may be one that ends the connection for them. Else a client could
// have an Endpoint ejected with those.
func (u *upStream) provoked() bool { return u.trailed }

// exclusive implements upSide. A lone session counts as shared: descriptors of it are bounded by the requests of a source.
func (u *upStream) exclusive() bool { return false }

// timedOut implements upSide: the next request would wait for the same session.
func (u *upStream) timedOut() { u.s.retire() }

// breakOff implements upSide: a stream that is given up is reset anyway.
func (u *upStream) breakOff() {}

func (u *upStream) unknownLength() framing { return frameStream }

// sendRequest implements upSide.
//
// hot: runs per request; no alloc, no lock.
func (u *upStream) sendRequest(x *core) (wrote bool, fail *failure) {
	req, o, end := x.outgoing()
	st, ok := u.H2.OpenRequest(req, o, end)
	if !ok {
		u.Gone = true
		u.s.touch()
		if x.upgrades() && u.s.H2.Settled() && !u.s.H2.ExtendedConnect() {
			return false, failNoUpgrade
		}
		return false, nil
	}
	u.H2Stream = st
	st.Owner = u
	if !end && !x.upgrades() {
		x.passEarly(u)
	}
	u.s.touch()
	return true, nil
}

// readHead implements upSide: heads come by the session, so that only its end is left to be seen.
func (u *upStream) readHead(x *core) bool {
	if u.Gone {
		x.upstreamEnds()
	}
	return false
}

// Send implements wire.Bytes.
//
// hot: runs per piece of a body; no alloc, no lock.
func (u *upStream) Send(p []byte, last bool) {
	u.Stream.Send(p, last)
	u.s.touch()
}

// Drop implements wire.Bytes: the window that opens has to be told.
func (u *upStream) Drop(n int) {
	u.Stream.Drop(n)
	u.s.touch()
}

func (u *upStream) Flush() bool {
	done := u.Stream.Flush()
	u.s.touch()
	return done
}

// SendTrailers implements wire.Bytes. On a session that others share none are sent: see lone.go.
func (u *upStream) SendTrailers(lines []byte) {
	if u.s.lone == loneNot {
		u.Send(nil, true)
		return
	}
	u.trailed = true
	u.Stream.SendTrailers(lines)
	u.s.touch()
}

func (u *upStream) ShutWrite() { u.Send(nil, true) }

// Lost implements wire.Bytes: a response that is complete is not lost with its stream, though it may wait for the client.
func (u *upStream) Lost() bool { return u.Gone && !u.Complete }

func (u *upStream) EndedWell() bool { return u.Ended() && !u.Lost() }

// release, abandon and stale implement upSide: what is not complete is reset, and the session goes on.
func (u *upStream) release(now int64) { u.free(now) }
func (u *upStream) abandon()          { u.free(u.w.Now()) }
func (u *upStream) stale(now int64)   { u.free(now) }

// free gives the stream back.
func (u *upStream) free(now int64) {
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
	*u = upStream{w: w, Stream: u.Stream}
	w.freeS.Put(u)
	w.wakeJanitor()
}
