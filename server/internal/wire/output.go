package wire

import (
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// Output writes the frames of an HTTP/2 connection to its socket, once per batch of events: many streams share one write.
// Owned by the connection's loop, and embedded in the connection's type, which sets H2.
type Output struct {
	H2      *h2.Conn
	Dirty   bool  // in the loop's list of those to flush: FlushOutput clears it
	charged int64 // bytes of the protocol's state that the pool has counted
}

// FlushLater has f, whose output this is, flushed at the end of the batch.
func (o *Output) FlushLater(l *Loop, f Flusher) {
	if !o.Dirty {
		o.Dirty = true
		l.addFlusher(f)
	}
}

// Unsent reports that there is output that to has not taken: frames, or TLS records.
func (o *Output) Unsent(to *Sock) bool { return len(o.H2.Output()) > 0 || to.Out.Len() > 0 }

// FlushTo writes as much as to takes, pending records first. It reports whether the socket took anything.
//
// hot: runs per batch of events; no alloc, no lock.
func (o *Output) FlushTo(to *Sock) (moved bool) {
	if waiting := to.Out.Len(); waiting > 0 {
		to.Flush()
		moved = to.Out.Len() < waiting
	}
	for !to.Broken {
		out := o.H2.Output()
		if len(out) == 0 {
			break
		}
		n := to.Push(out)
		if n == 0 {
			break
		}
		moved = true
		o.H2.Wrote(n)
	}
	to.loop.Buffers.Recount(&o.charged, o.H2.Held())
	return moved
}

// Holds returns how many bytes of memory the protocol's state takes.
func (o *Output) Holds() int64 { return o.charged }

// Release closes the protocol's state, and counts its memory as returned.
func (o *Output) Release(l *Loop) {
	o.H2.Close()
	l.Buffers.count(-o.charged)
	o.charged = 0
}

// A Flusher is a connection whose output many streams share. FlushOutput is called once, after a batch of events has been
// handled.
type Flusher interface{ FlushOutput() }

// addFlusher has f flushed at the end of the batch.
func (l *Loop) addFlusher(f Flusher) {
	l.toFlush = append(l.toFlush, f)
	if len(l.toFlush) == 1 {
		l.Again((*flushing)(l))
	}
}

// flushing is the Loop, as the handler of a deferred flush.
type flushing Loop

// Ready implements loop.Handler. Output that a flush causes elsewhere is flushed too.
func (q *flushing) Ready(loop.Events) {
	l := (*Loop)(q)
	for i := 0; i < len(l.toFlush); i++ {
		l.toFlush[i].FlushOutput()
	}
	clear(l.toFlush)
	l.toFlush = l.toFlush[:0]
}
