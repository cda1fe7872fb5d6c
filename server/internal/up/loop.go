package up

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Loop holds everything that the Endpoints' connections of one event loop share. It belongs to the loop's goroutine. Made by
// NewLoop; must not be copied.
type Loop struct {
	*exchange.Loop

	set         *Settings // replaced as a whole by a reload
	h2          *h2.Shared
	sessions    []*Session
	freeConns   wire.FreeList[Conn]
	freeStreams wire.FreeList[Stream]

	// Scratch, valid for one call:
	resp   h1.Response
	frames []byte // one read of an HTTP/2 connection
	one    [1]byte
}

// NewLoop makes the Endpoints' part of a loop, and the Dialer and the Set of core. seed seeds the Set's choices of
// Endpoints, and differs from loop to loop; gates are those of all loops.
func NewLoop(core *exchange.Loop, set *Settings, gates *upstream.Gates, seed uint64) *Loop {
	w := &Loop{Loop: core, set: set, h2: h2.NewShared(set.h2), frames: make([]byte, wire.ScratchSize)}
	o := set.upstream
	o.Seed = seed
	o.Live = core.Store.Load
	o.Gates = gates
	w.Upstreams = upstream.NewSet(o)
	w.Upstreams.Discard = func(c *upstream.Conn) {
		u := c.Owner.(*Conn)
		u.Close()
		w.freeConn(u)
	}
	w.Dialer = w
	return w
}

// Reload applies set to new connections and new requests. It runs on the loop.
func (w *Loop) Reload(set *Settings) {
	w.set = set
	w.h2.SetLimits(set.h2)
}

// janitorWork is how many idle connections one call of Expire looks at.
const janitorWork = 256

// Expire closes connections that were idle for too long, and Sessions whose Endpoint is silent. It runs on the loop, and
// returns when it is to be called next, on the loop's clock; 0: nothing is left to expire.
func (w *Loop) Expire(now int64) (next int64) {
	next = w.Upstreams.Expire(now, janitorWork)
	for i := len(w.sessions) - 1; i >= 0; i-- {
		if i < len(w.sessions) {
			w.sessions[i].expire(now, w.set.upstream.IdleTimeout)
		}
	}
	if next == 0 && len(w.sessions) > 0 {
		next = now + wire.JanitorPeriod
	}
	return next
}

// Cut closes every connection, and fails the requests under way. It runs on the loop.
func (w *Loop) Cut() {
	for len(w.sessions) > 0 {
		w.sessions[0].end(upstream.Canceled)
	}
	w.Upstreams.Sweep(nil)
	for len(w.sessions) > 0 {
		w.sessions[len(w.sessions)-1].end(upstream.Canceled)
	}
	w.ClosePipes(w.IdlePipes())
}

// newConn returns a Conn whose socket is not open yet.
func (w *Loop) newConn() *Conn {
	u := w.freeConns.Take()
	if u == nil {
		u = &Conn{}
	}
	u.Sock, u.w = wire.NewSock(&w.Loop.Loop), w
	u.Owner = u
	return u
}

// freeConn pools u. Its events of this batch are void, because its loop.Source is closed.
func (w *Loop) freeConn(u *Conn) {
	if !w.freeConns.Full() {
		*u = Conn{}
		w.freeConns.Put(u)
	}
}

// Acquire implements exchange.Dialer: it gets x a Conn to ep, from its Pool or a new one, or a Stream of a Session.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) Acquire(x *exchange.Core, ep *upstream.Endpoint, now int64) (u exchange.Up, reused, short bool) {
	if x.OverHTTP2() {
		return w.acquireStream(x, ep)
	}
	for !x.MustDial() {
		c := ep.Acquire(now)
		if c == nil {
			break
		}
		u := c.Owner.(*Conn)
		if !u.backendTLS.Equal(x.BackendTLS()) {
			u.discard() // the configuration of its TLS has changed since it was opened
			continue
		}
		if !u.untouched() {
			w.Shard.UpstreamStaleConns++
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

// acquireStream is Acquire for an Endpoint that speaks HTTP/2.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) acquireStream(x *exchange.Core, ep *upstream.Endpoint) (u exchange.Up, reused, short bool) {
	b := x.BackendTLS()
	if x.AnnouncesTrailers() {
		if s, reused, short := w.acquireLone(x, ep, b); s != nil {
			return s.newStream(x), reused, false
		} else if short {
			return nil, false, true
		}
	}
	s := dialerOf(ep).session(x.MustDial(), b)
	reused = s != nil
	if s == nil && !ep.Full() {
		s, short = w.openSession(ep, b, x.Quota(), false)
	}
	if s == nil {
		return nil, false, short
	}
	return s.newStream(x), reused, false
}

// SessionCounts counts a loop's Sessions, their Streams, the lone Sessions among them, and those of the lone that are free.
type SessionCounts struct{ Sessions, Streams, Lone, LoneFree int }

// CountSessions counts the Sessions of w. Tests alone need it.
func (w *Loop) CountSessions() (n SessionCounts) {
	n.Sessions = len(w.sessions)
	for _, s := range w.sessions {
		n.Streams += len(s.streams)
		if s.lone != loneNot {
			n.Lone++
		}
		if s.lone == loneFree {
			n.LoneFree++
		}
	}
	return n
}
