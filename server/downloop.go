package server

import (
	"iter"
	"slices"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// downLoop is what the clients' connections of one event loop share. All of it belongs to that loop, but for conns, which other
// loops read to balance new connections. Made by newDownLoop; must not be copied.
type downLoop struct {
	*coreLoop

	// Immutable once the loop runs:
	templates []*listener // of every address, for connections that other loops hand over

	// The same, and shared by all loops:
	peers   peers // all loops, this one among them
	sources *sources
	reserve *reserve

	set       *downSettings // replaced as a whole by a reload
	listeners []*listener
	downs     downConn    // head of the list of all connections
	dead      []*downConn // closed in this batch, to be reused in the next
	crowd     crowd
	h2        *h2.Shared
	freeC     wire.FreeList[downConn]
	freeD     wire.FreeList[downStream]
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

// newDownLoop makes the clients' part of a loop, to be given its peers before it runs.
func newDownLoop(core *coreLoop, sources *sources, reserve *reserve, set *downSettings) *downLoop {
	w := &downLoop{
		coreLoop: core, sources: sources, reserve: reserve, set: set,
		h2:     h2.NewShared(set.h2),
		out:    make([]byte, 0, wire.ScratchSize),
		frames: make([]byte, wire.ScratchSize),
	}
	w.downs.next, w.downs.prev = &w.downs, &w.downs
	w.Buffers.OnGrowth = w.grown
	w.admission = w
	return w
}

// current is the configuration that connections go by.
func (w *downLoop) current() *downSettings { return w.set }

// isDraining reports that a drain has begun.
func (w *downLoop) isDraining() bool { return w.draining }

// open returns how many connections are open, or closed in this batch.
func (w *downLoop) open() int { return int(w.conns.Load()) + len(w.dead) }

// mostOfSource returns how many connections that source has which has most.
func (w *downLoop) mostOfSource() int { return w.crowd.most }

// reload has everything from here on go by set: new connections, and new requests on those that are open. It comes behind the
// reload of core, whose settings were before.
func (w *downLoop) reload(set *downSettings, before *settings) {
	old := w.set
	w.set = set
	w.h2.SetLimits(set.h2)
	if !slices.Equal(before.trusted, w.settings.trusted) {
		// A proxy keeps its connections for days, and its fields are believed or not by what is said now. What
		// its connections count for was settled as they were accepted.
		for c := range w.all() {
			c.trusted = w.settings.trusts(c.remote.Addr())
		}
	}
	if set.capacity.requests < old.capacity.requests {
		w.crowd.giveBack() // what was permitted under the old bound
	}
	if set.capacity.buffered < old.capacity.buffered {
		w.relieve()
	}
}

// accepted takes over an accepted descriptor. src is its source, nil where that is not bounded, or not known yet.
func (w *downLoop) accepted(fd int, remote addrPort, ln *listener, src *source) {
	c := w.freeC.Take()
	if c == nil {
		c = &downConn{}
	}
	*c = downConn{Sock: wire.NewSock(&w.coreLoop.Loop), w: w, client: client{remote: remote, listener: &ln.inlet}}
	c.Timer.OnExpire = c
	w.Assign(&c.Src, fd, c)
	c.trusted = w.settings.trusts(remote.Addr())
	c.next, c.prev = w.downs.next, &w.downs
	c.next.prev, w.downs.next = c, c
	if src != nil {
		w.join(c, src)
	}
	w.shard.ConnectionsAccepted++
	// Most clients have sent their request by now, so it is read before events are asked for: an
	// event for bytes that are already read would cost a read that finds nothing.
	c.Readable, c.Writable = true, true
	if ln.proxied {
		c.beginProxy()
	} else {
		c.begins()
	}
	c.pump()
}

// forget takes a closed connection out of the list. It is reused only after this batch, because
// the caller may still look at it.
func (w *downLoop) forget(c *downConn) {
	c.next.prev, c.prev.next = c.prev, c.next
	c.next, c.prev = nil, nil
	w.leave(c)
	w.conns.Add(-1)
	w.shard.ConnectionsClosed[c.why]++
	if w.freeC.Len()+len(w.dead) < wire.KeepFree {
		w.dead = append(w.dead, c)
		if len(w.dead) == 1 {
			w.Again((*reaper)(w))
		}
	}
}

// reaper frees the connections that closed in the batch before.
type reaper downLoop

func (r *reaper) Ready(loop.Events) {
	w := (*downLoop)(r)
	for _, c := range w.dead {
		c.TLS, c.certificate, c.hello = nil, nil, nil // a certificate may be of some KiB
		w.freeC.Put(c)
	}
	clear(w.dead)
	w.dead = w.dead[:0]
}

// idleGrace is how long a connection without a request under way stays open in a drain, from the drain's
// begin or from its last answer: its client may be sending one at this very moment, and it will be
// answered, with Connection: close.
const idleGrace = int64(2e9)

// startDrain runs on the loop.
func (w *downLoop) startDrain() {
	w.draining = true
	for _, l := range w.listeners {
		l.stopAccepting()
	}
	w.listeners = nil
	for c := range w.all() {
		if c.phase == phaseSession {
			c.session.drain()
		}
		if c.phase == phaseHead && c.In.Len() == 0 && c.Out.Len() == 0 {
			c.Restart()
			c.guard(wire.WaitIdle, idleGrace)
		}
	}
}

// cut runs on the loop: it ends every connection.
func (w *downLoop) cut() {
	for _, l := range w.listeners {
		w.CloseSource(&l.src)
	}
	for c := range w.all() {
		c.why = stats.ClosedDraining
		if c.x != nil {
			c.x.cancel(failDraining)
		}
		if c.passthrough != nil {
			c.passthrough.end(stats.Draining, upstream.Canceled)
		}
		c.shut()
	}
}

// recordRefused counts a request whose head was refused before it became an Exchange.
func (w *downLoop) recordRefused(status int, reason stats.Reason) {
	w.shard.ExchangesStarted++
	w.event = stats.Event{Reason: reason, Status: uint16(status)}
	w.shard.Record(nil, &w.event)
}

// all returns every connection. The one that it has come to may be closed.
func (w *downLoop) all() iter.Seq[*downConn] {
	return func(yield func(*downConn) bool) {
		for c := w.downs.next; c != &w.downs; {
			next := c.next
			if !yield(c) {
				return
			}
			c = next
		}
	}
}
