package up

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Loop is what the Endpoints' connections of one event loop share. It belongs to the loop's goroutine. Made by NewLoop; must
// not be copied.
type Loop struct {
	*exchange.Loop

	set      *Settings // replaced as a whole by a reload
	h2       *h2.Shared
	sessions []*Session
	freeU    wire.FreeList[Conn]
	freeS    wire.FreeList[Stream]

	// Scratch, valid for one call:
	resp   h1.Response
	frames []byte // what an HTTP/2 connection read
	one    [1]byte
}

// NewLoop makes the Endpoints' part of a loop, and the Set of its pools, of which seed is to differ from loop to loop.
func NewLoop(core *exchange.Loop, set *Settings, seed uint64) *Loop {
	w := &Loop{Loop: core, set: set, h2: h2.NewShared(set.h2), frames: make([]byte, wire.ScratchSize)}
	o := set.upstream
	o.Seed = seed
	o.Live = core.Store.Load
	w.Upstreams = upstream.NewSet(o)
	w.Upstreams.Discard = func(c *upstream.Conn) {
		u := c.Owner.(*Conn)
		u.Close()
		w.freeUp(u)
	}
	w.Dialer = w
	return w
}

// Reload has new connections, and new requests, go by set.
func (w *Loop) Reload(set *Settings) {
	w.set = set
	w.h2.SetLimits(set.h2)
}

// janitorWork is how many idle connections the janitor looks at in one go.
const janitorWork = 256

// Expire closes connections that were idle for too long, and returns when it is to be called next, 0 where nothing is left
// to expire.
func (w *Loop) Expire(now int64) (next int64) {
	next = w.Upstreams.Expire(now, janitorWork)
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

// Cut runs on the loop: it ends every connection.
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

func (w *Loop) newUp() *Conn {
	u := w.freeU.Take()
	if u == nil {
		u = &Conn{}
	}
	u.Sock, u.w = wire.NewSock(&w.Loop.Loop), w
	u.Owner = u
	return u
}

// freeUp takes u back. Its events of this batch are void, because its Source is closed.
func (w *Loop) freeUp(u *Conn) {
	if !w.freeU.Full() {
		*u = Conn{}
		w.freeU.Put(u)
	}
}

// Acquire implements exchange.Dialer: it gets a connection to ep, or a stream on one.
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
		if !u.backend.Equal(x.BackendTLS()) {
			u.discard() // its certificate, or what it was checked against, has changed
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

// acquireStream is acquire for an Endpoint that speaks HTTP/2.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) acquireStream(x *exchange.Core, ep *upstream.Endpoint) (u exchange.Up, reused, short bool) {
	b := x.BackendTLS()
	if x.AnnouncesTrailers() {
		if s, reused, short := w.acquireLone(x, ep, b); s != nil {
			return s.attach(x), reused, false
		} else if short {
			return nil, false, true
		}
	}
	s := dialerOf(ep).session(x.MustDial(), b)
	reused = s != nil
	if s == nil && !ep.Full() {
		s, short = w.openSession(ep, b, x.Source(), false)
	}
	if s == nil {
		return nil, false, short
	}
	return s.attach(x), reused, false
}

// Open is what is open of HTTP/2 with Endpoints, in numbers.
type Open struct{ Sessions, Streams, Lone, LoneFree int }

// Open counts it.
func (w *Loop) Open() (n Open) {
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
