// Package sink writes log lines to where a write may block, for those who must not wait: event loops, the
// goroutine that builds Snapshots, the one that handles signals.
//
// Whoever logs offers a chunk of whole lines; one goroutine per open file writes them. Where the destination does
// not keep up (a FIFO or a pipe whose reader stalls, a full disk, a hanging network file system), the queue
// fills to its bound in bytes and what comes then is lost and counted, so that a destination costs log lines and
// never requests, changes or an orderly end.
//
//	loop, informer, signals                writer's goroutine
//	Offer / Write ──queue (bounded)──► write(2), may block for ever
//	   └─ full: Lost += lines               └─ failed: Lost += lines that were not written
//
// Invariants:
//
//  1. No method but Close waits for the destination, and Close does for a second at most.
//  2. A line that was offered is written whole, or counted as lost. After a torn write the next chunk begins
//     on a line of its own.
//  3. Opening does not block: a FIFO without a reader is opened all the same and holds what the kernel's pipe holds.
//
// What never happens here: no line is formatted or parsed, and nothing is imported beyond the standard library.
//
// Read first: Sink.Offer, Sink.run, TestStalledReader.
package sink
