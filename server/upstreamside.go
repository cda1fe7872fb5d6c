package server

import (
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/h2"
)

// upStream is one request on an HTTP/2 connection to an Endpoint: the upSide of its Exchange. Made and
// pooled by its worker; owned by the loop.
//
//	attach ──► waits for its Session ──► begin: open, or gone where the Session takes no more ──► free
type upStream struct {
	streamSide
	w       *worker
	s       *upSession
	x       *Exchange
	listed  bool // in the session's list
	refused bool // the Endpoint did nothing for the request
	first   bool // of its session
	trailed bool // trailers were sent
}

// attach makes x's side of a new stream of s, which is opened by begin.
//
// hot: runs per request; no alloc, no lock.
func (s *upSession) attach(x *Exchange) *upStream {
	w := s.w
	u := w.freeS.take()
	if u == nil {
		u = &upStream{}
	}
	u.streamSide.init(&w.wireLoop, s.h2, nil)
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
	u.gathering = false
	if u.x != nil {
		u.x.c.pump()
	}
}

// ready implements upSide. An Upgrade has to wait until the Endpoint has said that it takes one.
//
// hot: runs per request; no alloc, no lock.
func (u *upStream) ready() bool {
	return u.st != nil || u.gone || !u.s.connecting && !u.s.shaking && (u.s.settled || !u.x.upgrade)
}

func (u *upStream) reused() bool      { return !u.first }
func (u *upStream) unprocessed() bool { return u.refused || u.st == nil }
func (u *upStream) chunked() framing  { return frameStream }

// begin implements upSide.
//
// hot: runs per request; no alloc, no lock.
func (u *upStream) begin(x *Exchange) bool {
	o := x.kept
	end := x.up.whole() && len(o.early) == 0 && !x.upgrade
	st, ok := u.h2.OpenRequest(&o.req, h2.Outgoing{
		Head: &o.req.Head, Bytes: o.head, Lines: x.edits.add, Authority: x.policy.upstreamHost, Target: x.target(),
	}, end)
	if !ok {
		u.gone = true
		u.s.touch()
		return false
	}
	u.st = st
	st.Owner = u
	if !end && !x.upgrade {
		x.up.pass(u, o.early)
	}
	u.s.touch()
	return true
}

// readHead implements upSide: heads come by the session, so that only its end is left to be seen.
func (u *upStream) readHead(x *Exchange) bool {
	if u.gone {
		x.upstreamEnds()
	}
	return false
}

// send implements side.
//
// hot: runs per piece of a body; no alloc, no lock.
func (u *upStream) send(p []byte, last bool) {
	u.streamSide.send(p, last)
	u.s.touch()
}

// drop implements side: the window that opens has to be told.
func (u *upStream) drop(n int) {
	u.streamSide.drop(n)
	u.s.touch()
}

func (u *upStream) flush() bool {
	done := u.streamSide.flush()
	u.s.touch()
	return done
}

// sendTrailers implements side. On a session that others share none are sent: see lone.go.
func (u *upStream) sendTrailers(lines []byte) {
	if u.s.lone == loneNot {
		u.send(nil, true)
		return
	}
	u.trailed = true
	u.streamSide.sendTrailers(lines)
	u.s.touch()
}

func (u *upStream) shutWrite() { u.send(nil, true) }

// lost implements side: a response that is complete is not lost with its stream, though it may wait for the client.
func (u *upStream) lost() bool { return u.gone && !u.recvEnd }

func (u *upStream) endedWell() bool { return u.ended() && !u.lost() }

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
		u.st = nil // the session's end takes it
	}
	if len(s.streams) == 0 {
		s.idleSince = now
	}
	s.touch()
	u.streamSide.free()
	if s.lone == loneBusy {
		s.askLone()
	}
	*u = upStream{w: w, streamSide: u.streamSide}
	w.freeS.put(u)
	w.janitor.wake()
}
