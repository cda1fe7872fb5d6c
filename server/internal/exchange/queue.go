package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/upstream"
)

// Requests to a Backend that takes so many at a time and no more: see upstream.Gate. A request holds its room from before its
// first attempt to its end. One that finds none waits here, in the queue of its loop: its head is made and held, its body is
// not read.

// queue is the requests of one loop that wait for one Gate. It exists while there are some.
type queue struct {
	w           *Loop
	gate        *upstream.Gate
	waker       upstream.Waker
	first, last *Core
	serving     bool // Ready is deferred
}

// enter takes room at the Backend for x, and reports whether x goes on. Otherwise x waits, or has failed.
func (x *Core) enter(g *upstream.Gate) bool {
	a := x.alter()
	if g.Enter() {
		a.gate = g
		return true
	}
	w := x.w
	q := w.queues[g]
	if q == nil {
		q = &queue{w: w, gate: g}
		q.waker.Wake = func() { w.Post(q.serveOrPass) }
	}
	if !g.Queue(&q.waker) {
		x.Fail(failBusy)
		return false
	}
	if w.queues == nil {
		w.queues = make(map[*upstream.Gate]*queue)
	}
	w.queues[g] = q
	if q.first == nil && g.Take() {
		q.dropped()
		a.gate = g
		return true
	}
	a.queue, a.before = q, q.last
	if q.last != nil {
		q.last.altered.behind = x
	} else {
		q.first = x
	}
	q.last = x
	x.expectEndpoint(g.Waits())
	return false
}

// waits reports that x is in a queue.
func (x *Core) waits() bool { return x.altered != nil && x.altered.queue != nil }

// unqueue takes x out of its queue.
func (x *Core) unqueue() {
	a := x.altered
	q := a.queue
	if a.before != nil {
		a.before.altered.behind = a.behind
	} else {
		q.first = a.behind
	}
	if a.behind != nil {
		a.behind.altered.before = a.before
	} else {
		q.last = a.before
	}
	a.queue, a.before, a.behind = nil, nil, nil
	q.dropped()
}

// dropped notes that a request waits no more.
func (q *queue) dropped() {
	empty := q.first == nil
	q.gate.Unqueue(&q.waker, empty)
	if empty {
		delete(q.w.queues, q.gate)
	}
}

// leaveGate ends x's part at the Gate: its place in the queue, or its room, which goes to the next.
func (x *Core) leaveGate() {
	a := x.altered
	if a.queue != nil {
		x.unqueue()
	}
	g := a.gate
	if g == nil {
		return
	}
	a.gate = nil
	if !g.Leave() {
		return
	}
	if q := x.w.queues[g]; q == nil {
		g.WakeOther()
	} else if !q.serving {
		// Behind this batch: the caller is in the middle of another request.
		q.serving = true
		x.w.Again(q)
	}
}

// Ready implements loop.Handler: it serves the requests for which there is room.
func (q *queue) Ready(loop.Events) {
	q.serving = false
	q.serveOrPass()
}

// serveOrPass serves the requests that wait on this loop, for which there is room, or passes the call on to a loop where some
// wait.
func (q *queue) serveOrPass() {
	for q.first != nil && q.gate.Take() {
		x := q.first
		c := x.down
		x.unqueue()
		x.timer.Stop()
		x.altered.gate = q.gate
		x.beginAttempts()
		c.Pump()
	}
	if q.first != nil {
		return // the next that leaves goes on here, or wakes this loop
	}
	if used, waiting := q.gate.Counts(); waiting > 0 && used < q.gate.Limit() {
		q.gate.WakeOther()
	}
}
