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

// Loop is what the clients' connections of one event loop share. All of it belongs to that loop, but for conns, which other
// loops read to balance new connections. Made by NewLoop; must not be copied.
type Loop struct {
	*exchange.Loop

	// Immutable once the loop runs:
	templates []*listener // of every address, for connections that other loops hand over

	// The same, and shared by all loops:
	Peers   Peers // all loops, this one among them
	sources *Sources
	reserve *Reserve

	set       *Settings // replaced as a whole by a reload
	listeners []*listener
	downs     Conn    // head of the list of all connections
	dead      []*Conn // closed in this batch, to be reused in the next
	crowd     crowd
	h2        *h2.Shared
	freeC     wire.FreeList[Conn]
	freeD     wire.FreeList[Stream]
	draining  bool
	relieving bool // see relieve
	sparing   bool // see spareDescriptors

	// Scratch, valid for one call:
	req     h1.Request
	out     []byte
	refusal []byte
	frames  []byte // what an HTTP/2 connection read

	// Atomic, read by other loops:
	conns atomic.Int64
}

// NewLoop makes the clients' part of a loop, to be given its peers before it runs.
func NewLoop(core *exchange.Loop, sources *Sources, reserve *Reserve, set *Settings) *Loop {
	w := &Loop{
		Loop: core, sources: sources, reserve: reserve, set: set,
		h2:     h2.NewShared(set.h2),
		out:    make([]byte, 0, wire.ScratchSize),
		frames: make([]byte, wire.ScratchSize),
	}
	w.downs.next, w.downs.prev = &w.downs, &w.downs
	w.Buffers.OnGrowth = w.grown
	w.Admission = w
	return w
}

// Current is the configuration that connections go by.
func (w *Loop) Current() *Settings { return w.set }

// IsDraining reports that a drain has begun.
func (w *Loop) IsDraining() bool { return w.draining }

// Open returns how many connections are open, or closed in this batch.
func (w *Loop) Open() int { return int(w.conns.Load()) + len(w.dead) }

// MostOfSource returns how many connections that source has which has most.
func (w *Loop) MostOfSource() int { return w.crowd.most }

// Reload has everything from here on go by set: new connections, and new requests on those that are open. It comes behind the
// reload of core, whose settings were before.
func (w *Loop) Reload(set *Settings, before *exchange.Settings) {
	old := w.set
	w.set = set
	w.h2.SetLimits(set.h2)
	if !slices.Equal(before.Trusted, w.Settings.Trusted) {
		// A proxy keeps its connections for days, and its fields are believed or not by what is said now. What
		// its connections count for was settled as they were accepted.
		for c := range w.All() {
			c.Trusted = w.Settings.Trusts(c.Remote.Addr())
		}
	}
	if set.Capacity.Requests < old.Capacity.Requests {
		w.crowd.giveBack() // what was permitted under the old bound
	}
	if set.Capacity.buffered < old.Capacity.buffered {
		w.relieve()
	}
}

// accepted takes over an accepted descriptor. src is its source, nil where that is not bounded, or not known yet.
func (w *Loop) accepted(fd int, remote addrPort, ln *listener, src *source) {
	c := w.freeC.Take()
	if c == nil {
		c = &Conn{}
	}
	*c = Conn{Sock: wire.NewSock(&w.Loop.Loop), w: w, Client: exchange.Client{Remote: remote, Listener: &ln.Listener}}
	c.Timer.OnExpire = c
	w.Assign(&c.Src, fd, c)
	c.Trusted = w.Settings.Trusts(remote.Addr())
	c.next, c.prev = w.downs.next, &w.downs
	c.next.prev, w.downs.next = c, c
	if src != nil {
		w.join(c, src)
	}
	w.Shard.ConnectionsAccepted++
	// Most clients have sent their request by now, so it is read before events are asked for: an
	// event for bytes that are already read would cost a read that finds nothing.
	c.Readable, c.Writable = true, true
	if ln.proxied {
		c.beginProxy()
	} else {
		c.begins()
	}
	c.Pump()
}

// forget takes a closed connection out of the list. It is reused only after this batch, because
// the caller may still look at it.
func (w *Loop) forget(c *Conn) {
	c.next.prev, c.prev.next = c.prev, c.next
	c.next, c.prev = nil, nil
	w.leave(c)
	w.conns.Add(-1)
	w.Shard.ConnectionsClosed[c.why]++
	if w.freeC.Len()+len(w.dead) < wire.KeepFree {
		w.dead = append(w.dead, c)
		if len(w.dead) == 1 {
			w.Again((*reaper)(w))
		}
	}
}

// reaper frees the connections that closed in the batch before.
type reaper Loop

func (r *reaper) Ready(loop.Events) {
	w := (*Loop)(r)
	for _, c := range w.dead {
		c.TLS, c.Certificate, c.hello = nil, nil, nil // a certificate may be of some KiB
		w.freeC.Put(c)
	}
	clear(w.dead)
	w.dead = w.dead[:0]
}

// IdleGrace is how long a connection without a request under way stays open in a drain, from the drain's
// begin or from its last answer: its client may be sending one at this very moment, and it will be
// answered, with Connection: close.
const IdleGrace = int64(2e9)

// StartDrain runs on the loop.
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

// Cut runs on the loop: it ends every connection.
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

// recordRefused counts a request whose head was refused before it became an Exchange.
func (w *Loop) recordRefused(status int, reason stats.Reason) {
	w.Shard.ExchangesStarted++
	w.Event = stats.Event{Reason: reason, Status: uint16(status)}
	w.Shard.Record(nil, &w.Event)
}

// All returns every connection. The one that it has come to may be closed.
func (w *Loop) All() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for c := w.downs.next; c != &w.downs; {
			next := c.next
			if !yield(c) {
				return
			}
			c = next
		}
	}
}
