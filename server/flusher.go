package server

import "github.com/sluice-gateway/sluice/server/internal/loop"

// A flusher is a connection whose output many streams share. It is written once, when all that was ready
// in a batch of events has been handled.
type flusher interface{ flushOutput() }

// flushLater has f flushed at the end of the batch.
func (w *worker) flushLater(f flusher) {
	w.toFlush = append(w.toFlush, f)
	if len(w.toFlush) == 1 {
		w.loop.Again((*flushing)(w))
	}
}

type flushing worker

// Ready implements loop.Handler. What a flush makes others write is flushed too.
func (q *flushing) Ready(loop.Events) {
	w := (*worker)(q)
	for i := 0; i < len(w.toFlush); i++ {
		w.toFlush[i].flushOutput()
	}
	clear(w.toFlush)
	w.toFlush = w.toFlush[:0]
}
