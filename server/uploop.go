package server

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// upLoop is what the Endpoints' connections of one event loop share. It belongs to the loop's goroutine. Made by newUpLoop; must
// not be copied.
type upLoop struct {
	*coreLoop

	set      *upSettings // replaced as a whole by a reload
	h2       *h2.Shared
	sessions []*upSession
	freeU    wire.FreeList[upConn]
	freeS    wire.FreeList[upStream]

	// Scratch, valid for one call:
	resp   h1.Response
	frames []byte // what an HTTP/2 connection read
	one    [1]byte
}

// newUpLoop makes the Endpoints' part of a loop, and the Set of its pools, of which seed is to differ from loop to loop.
func newUpLoop(core *coreLoop, set *upSettings, seed uint64) *upLoop {
	w := &upLoop{coreLoop: core, set: set, h2: h2.NewShared(set.h2), frames: make([]byte, wire.ScratchSize)}
	o := set.upstream
	o.Seed = seed
	o.Live = core.store.Load
	w.upstreams = upstream.NewSet(o)
	w.upstreams.Discard = func(c *upstream.Conn) {
		u := c.Owner.(*upConn)
		u.Close()
		w.freeUp(u)
	}
	w.dialer = w
	return w
}

// reload has new connections, and new requests, go by set.
func (w *upLoop) reload(set *upSettings) {
	w.set = set
	w.h2.SetLimits(set.h2)
}

// janitorWork is how many idle connections the janitor looks at in one go.
const janitorWork = 256

// expire closes connections that were idle for too long, and returns when it is to be called next, 0 where nothing is left
// to expire.
func (w *upLoop) expire(now int64) (next int64) {
	next = w.upstreams.Expire(now, janitorWork)
	for i := len(w.sessions) - 1; i >= 0; i-- {
		if i < len(w.sessions) {
			w.sessions[i].check(now, w.set.upstream.IdleTimeout)
		}
	}
	if next == 0 && len(w.sessions) > 0 {
		next = now + wire.JanitorPeriod
	}
	return next
}

// cut runs on the loop: it ends every connection.
func (w *upLoop) cut() {
	for len(w.sessions) > 0 {
		w.sessions[0].end(upstream.Canceled)
	}
	w.upstreams.Sweep(nil)
	for len(w.sessions) > 0 {
		w.sessions[len(w.sessions)-1].end(upstream.Canceled)
	}
	w.ClosePipes(w.IdlePipes())
}

func (w *upLoop) newUp() *upConn {
	u := w.freeU.Take()
	if u == nil {
		u = &upConn{}
	}
	u.Sock, u.w = wire.NewSock(&w.coreLoop.Loop), w
	u.Owner = u
	return u
}

// freeUp takes u back. Its events of this batch are void, because its Source is closed.
func (w *upLoop) freeUp(u *upConn) {
	if !w.freeU.Full() {
		*u = upConn{}
		w.freeU.Put(u)
	}
}

// acquire implements upDialer: it gets a connection to ep, or a stream on one.
//
// hot: runs per request; no alloc, no lock.
func (w *upLoop) acquire(x *core, ep *upstream.Endpoint, now int64) (u upSide, reused, short bool) {
	if x.overHTTP2() {
		return w.acquireStream(x, ep)
	}
	for !x.mustDial() {
		c := ep.Acquire(now)
		if c == nil {
			break
		}
		u := c.Owner.(*upConn)
		if !u.backend.Equal(x.backendTLS()) {
			u.discard() // its certificate, or what it was checked against, has changed
			continue
		}
		if !u.untouched() {
			w.shard.UpstreamStaleConns++
			continue
		}
		u.x = x
		return u, true, false
	}
	if ep.Full() {
		return nil, false, false
	}
	c, short := w.dial(ep, x)
	if c == nil {
		return nil, false, short
	}
	return c, false, false
}

// acquireStream is acquire for an Endpoint that speaks HTTP/2.
//
// hot: runs per request; no alloc, no lock.
func (w *upLoop) acquireStream(x *core, ep *upstream.Endpoint) (u upSide, reused, short bool) {
	b := x.backendTLS()
	if x.announcesTrailers() {
		if s, reused, short := w.acquireLone(x, ep, b); s != nil {
			return s.attach(x), reused, false
		} else if short {
			return nil, false, true
		}
	}
	s := dialerOf(ep).session(x.mustDial(), b)
	reused = s != nil
	if s == nil && !ep.Full() {
		s, short = w.openSession(ep, b, x.source(), false)
	}
	if s == nil {
		return nil, false, short
	}
	return s.attach(x), reused, false
}

// upOpen is what is open of HTTP/2 with Endpoints, in numbers.
type upOpen struct{ sessions, streams, lone, loneFree int }

// open counts it.
func (w *upLoop) open() (n upOpen) {
	n.sessions = len(w.sessions)
	for _, s := range w.sessions {
		n.streams += len(s.streams)
		if s.lone != loneNot {
			n.lone++
		}
		if s.lone == loneFree {
			n.loneFree++
		}
	}
	return n
}
