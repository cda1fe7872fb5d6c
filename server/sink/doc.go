// Package sink writes log lines to destinations that may block, for goroutines that must not wait: event
// loops, the builder of Snapshots, the handler of signals.
//
// The logger offers a chunk of whole lines; one goroutine per open file writes them. Where the destination does
// not keep up (a FIFO or a pipe whose reader stalls, a full disk, a hanging network file system), the queue fills
// to its bound in bytes and further lines are lost and counted, so that a destination costs log lines and never
// requests, changes or an orderly end.
//
//	loop, informer, signals                writer's goroutine
//	Offer / Write ──queue (bounded)──► write(2), may block for ever
//	   └─ full: Lost += lines               └─ failed: Lost += lines that were not written
//
// Invariants:
//
//  1. No method but Close waits for the destination, and Close does for a second at most.
//  2. An offered line is written whole, or counted as lost. After a torn write the next chunk begins on a
//     line of its own.
//  3. Opening does not block: a FIFO without a reader opens at once and holds as much as the kernel's pipe does.
//
// What never happens here: no line is formatted or parsed, and nothing is imported beyond the standard library.
//
// Read first: Sink.Offer, Sink.run, TestStalledReader.
package sink
