package down

import (
	"iter"
	"slices"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Loop holds everything that the clients' connections of one event loop share. It belongs to that loop, except conns, which
// other loops read to balance new connections. Made by NewLoop; must not be copied.
type Loop struct {
	*exchange.Loop

	// Immutable once the loop runs:
	templates []*Listener // of every address, for connections that other loops hand over

	// Immutable, and shared by all loops:
	Peers   Peers // all loops, this one among them; set before they run
	sources *Sources
	reserve *Reserve

	set         *Settings // replaced as a whole by a reload
	listeners   []*Listener
	list        Conn    // head of the list of all connections
	dead        []*Conn // closed in this batch, to be reused in the next
	crowd       crowd
	h2          *h2.Shared
	freeConns   wire.FreeList[Conn]
	freeStreams wire.FreeList[Stream]
	draining    bool
	relieving   bool // relief is deferred
	sparing     bool // sparing is deferred

	// Scratch, valid for one call:
	req     h1.Request
	out     []byte
	refusal []byte
	frames  []byte // one read of an HTTP/2 connection

	// Atomic, read by other loops:
	conns atomic.Int64
}

// NewLoop makes the clients' part of a loop, and the Admission of core. Peers is set before the loop runs.
func NewLoop(core *exchange.Loop, sources *Sources, reserve *Reserve, set *Settings) *Loop {
	w := &Loop{
		Loop: core, sources: sources, reserve: reserve, set: set,
		h2:     h2.NewShared(set.h2),
		out:    make([]byte, 0, wire.ScratchSize),
		frames: make([]byte, wire.ScratchSize),
	}
	w.list.next, w.list.prev = &w.list, &w.list
	w.Buffers.OnGrowth = w.grown
	w.Admission = w
	return w
}

// CurrentSettings are the Settings in force. Exported for tests alone, like the next three methods.
func (w *Loop) CurrentSettings() *Settings { return w.set }

// IsDraining reports that a drain has begun.
func (w *Loop) IsDraining() bool { return w.draining }

// OpenConns returns how many connections are open, or were closed in this batch.
func (w *Loop) OpenConns() int { return int(w.conns.Load()) + len(w.dead) }

// LargestSource returns how many connections of this loop the Source with most has.
func (w *Loop) LargestSource() int { return w.crowd.most }

// Reload applies set to new connections, and to new requests on open ones. It runs on the loop, behind the reload of core,
// whose Settings were before until then.
func (w *Loop) Reload(set *Settings, before *exchange.Settings) {
	old := w.set
	w.set = set
	w.h2.SetLimits(set.h2)
	if !slices.Equal(before.Trusted, w.Settings.Trusted) {
		// A proxy keeps its connections for days: whether its fields are believed follows the present configuration. The
		// Source that a connection counts for was settled when it was accepted.
		for c := range w.All() {
			c.Trusted = w.Settings.Trusts(c.Remote.Addr())
		}
	}
	if set.Capacity.Requests < old.Capacity.Requests {
		w.crowd.giveBack() // permits of the old bound
	}
	if set.Capacity.buffered < old.Capacity.buffered {
		w.relieve()
	}
}

// accepted makes the Conn of an accepted descriptor. src is its Source; nil: it has none, or none yet.
func (w *Loop) accepted(fd int, remote addrPort, ln *Listener, src *source) {
	c := w.freeConns.Take()
	if c == nil {
		c = &Conn{}
	}
	*c = Conn{Sock: wire.NewSock(&w.Loop.Loop), w: w, Client: exchange.Client{Remote: remote, Listener: &ln.Listener}}
	c.Timer.OnExpire = c
	w.Assign(&c.Src, fd, c)
	c.Trusted = w.Settings.Trusts(remote.Addr())
	c.next, c.prev = w.list.next, &w.list
	c.next.prev, w.list.next = c, c
	if src != nil {
		w.join(c, src)
	}
	w.Shard.ConnectionsAccepted++
	// Most clients have sent their request by now, so it is read before events are asked for: an event for bytes that are
	// already read would cost a read that finds none.
	c.Readable, c.Writable = true, true
	if ln.proxied {
		c.startProxy()
	} else {
		c.startProtocol()
	}
	c.Pump()
}

// forget counts a closed connection and takes it out of the list. It is reused only after this batch, because the caller may
// still read it.
func (w *Loop) forget(c *Conn) {
	c.next.prev, c.prev.next = c.prev, c.next
	c.next, c.prev = nil, nil
	w.leave(c)
	w.conns.Add(-1)
	w.Shard.ConnectionsClosed[c.why]++
	if w.freeConns.Len()+len(w.dead) < wire.KeepFree {
		w.dead = append(w.dead, c)
		if len(w.dead) == 1 {
			w.Again((*reaper)(w))
		}
	}
}

// reaper is the Loop, as the handler that pools the connections which were closed in the batch before.
type reaper Loop

// Ready implements loop.Handler.
func (r *reaper) Ready(loop.Events) {
	w := (*Loop)(r)
	for _, c := range w.dead {
		c.TLS, c.Certificate, c.hello = nil, nil, nil // a certificate may be of some KiB
		w.freeConns.Put(c)
	}
	clear(w.dead)
	w.dead = w.dead[:0]
}

// IdleGrace is how long a connection without a request under way stays open in a drain, nanoseconds from the start of the
// drain or from its last answer: its client may just be sending a request, which is then answered with Connection: close.
// Exported for tests alone.
const IdleGrace = int64(2e9)

// RefuseConnections has the kernel begin no connection any more; those that have begun are served. It runs on the loop.
func (w *Loop) RefuseConnections() {
	for _, l := range w.listeners {
		wire.RefuseConnections(l.src.FD())
	}
}

// StartDrain stops accepting, asks the clients of Sessions for no more streams, and closes idle connections after IdleGrace;
// others close behind their present answer. It runs on the loop.
func (w *Loop) StartDrain() {
	w.draining = true
	for _, l := range w.listeners {
		l.stopAccepting()
	}
	w.listeners = nil
	for c := range w.All() {
		if c.phase == phaseSession {
			c.session.drain()
		}
		if c.phase == phaseHead && c.In.Len() == 0 && c.Out.Len() == 0 {
			c.Restart()
			c.Guard(wire.WaitIdle, IdleGrace)
		}
	}
}

// Cut closes every listener and connection, and cancels the requests under way. It runs on the loop.
func (w *Loop) Cut() {
	for _, l := range w.listeners {
		w.CloseSource(&l.src)
	}
	for c := range w.All() {
		c.why = stats.ClosedDraining
		if c.x != nil {
			c.x.Cancel(exchange.FailDraining)
		}
		if c.passthrough != nil {
			c.passthrough.end(stats.Draining, upstream.Canceled)
		}
		c.shut()
	}
}

// All yields every connection. The loop body may close the one that it was given.
func (w *Loop) All() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for c := w.list.next; c != &w.list; {
			next := c.next
			if !yield(c) {
				return
			}
			c = next
		}
	}
}
