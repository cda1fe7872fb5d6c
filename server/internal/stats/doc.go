// Package stats counts the work of the event loops, and hands the counts to Prometheus.
//
// A request ends with one call, on the loop that served it: Shard.Record. It writes plain memory
// that no other goroutine touches: no lock, no atomic, no allocation. A scrape does the rest.
//
//	loop goroutine                       scraping goroutine
//	Shard.Counters  ──copy──┐
//	Shard.dirty ────hand────┼─ batch ──► Registry: merges into the totals of each Series,
//	Shard.spare ◄───back────┘            zeroes the deltas and returns them at the next scrape
//
// The scraper asks each loop, through the post function given to NewShard, to hand over its batch. That takes
// the loop the same short time whether one Series or 100,000 were busy: it swaps two slices. A delta that was
// handed over is recognised by its epoch and owner at the next Record, so nothing has to be walked and reset. A
// loop that does not answer within a second is reported as unresponsive and its batch is merged when it comes.
//
// Goroutines: Shard belongs to its loop. Registry.Attach runs on the goroutine that builds Snapshots,
// scrapes on any. Registry.Run must run in every process that serves: it harvests between scrapes, without
// which the 32-bit deltas could wrap and removed Series would wait for a scrape.
//
// Invariants:
//
//  1. Label values come from configuration and from fixed tables, never from a request: methods
//     outside the table count as "other", and beyond a bound so do pairs of method and status.
//  2. A Series lives as long as a Snapshot (through Route.Attachment) or a batch refers to it; the
//     index holds it weakly.
//  3. Each metric is one row of the metrics table; METRICS.md is generated from it.
//
// What never happens here: no clock is read on the loop, no float is computed there, nothing waits
// for a scraper.
//
// Read first: Shard.Record, Registry.harvest, TestHandOver.
package stats
