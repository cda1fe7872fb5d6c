package server

import (
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// output is how a Session, of a client or with an Endpoint, gets what its streams have written to its socket: once per
// batch of events. Owned by the Session's loop.
type output struct {
	h2      *h2.Conn
	dirty   bool  // in the loop's list of those to flush
	charged int64 // bytes of the protocol's state that the account has
}

// flushLater has f, whose output this is, flushed at the end of the batch.
func (o *output) flushLater(l *wireLoop, f flusher) {
	if !o.dirty {
		o.dirty = true
		l.add(f)
	}
}

// unsent reports that output is still to be written to to: as frames, or sealed.
func (o *output) unsent(to *sock) bool { return len(o.h2.Output()) > 0 || to.out.len() > 0 }

// flushTo writes what to takes: first what was sealed and not taken before. It reports whether the socket took anything.
//
// hot: runs per batch of events; no alloc, no lock.
func (o *output) flushTo(to *sock) (moved bool) {
	if waiting := to.out.len(); waiting > 0 {
		to.flush()
		moved = to.out.len() < waiting
	}
	for !to.broken {
		out := o.h2.Output()
		if len(out) == 0 {
			break
		}
		n := to.push(out)
		if n == 0 {
			break
		}
		moved = true
		o.h2.Wrote(n)
	}
	to.loop.buffers.recount(&o.charged, o.h2.Held())
	return moved
}

// holds returns how many bytes of memory the protocol's state takes.
func (o *output) holds() int64 { return o.charged }

// release gives the protocol's state back.
func (o *output) release(l *wireLoop) {
	o.h2.Close()
	l.buffers.count(-o.charged)
	o.charged = 0
}

// A flusher is a connection whose output many streams share. It is written once, when all that was ready
// in a batch of events has been handled.
type flusher interface{ flushOutput() }

// add has f flushed at the end of the batch.
func (l *wireLoop) add(f flusher) {
	l.toFlush = append(l.toFlush, f)
	if len(l.toFlush) == 1 {
		l.Again((*flushing)(l))
	}
}

type flushing wireLoop

// Ready implements loop.Handler. What a flush makes others write is flushed too.
func (q *flushing) Ready(loop.Events) {
	l := (*wireLoop)(q)
	for i := 0; i < len(l.toFlush); i++ {
		l.toFlush[i].flushOutput()
	}
	clear(l.toFlush)
	l.toFlush = l.toFlush[:0]
}
