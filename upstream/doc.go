// Package upstream is one event loop's view of all Backends: the state of their Endpoints, the
// pools of idle connections, the balancers, the verdicts on Endpoints, and what spares them: slow start, the breaker, the
// budget of replays.
//
// A request asks Set.Backend for the state behind its routing.Backend, its Attempt for an Endpoint,
// Endpoint.Acquire for an idle Conn (or dials one and calls Add), tells the Attempt how the exchange
// ended, and gives the Conn back with Release or, when it closes the connection, Remove:
//
//	b := set.Backend(snapshot.Backend(route))
//	e := attempt.Begin(b, now)         // nil: no Endpoint, answer 503
//	c := e.Acquire(now)                // nil: dial e.Addr and e.Add(c), or where e.Full(), attempt.Full
//	...                                // the exchange; attempt.Failed says where it goes next
//	attempt.Finish(now, latency, upstream.OK)
//	if !e.Release(c, now) { close the connection; e.Remove(c) }
//
// Goroutines: all of a Set belongs to one loop and is touched by no other goroutine. There is one
// Set per loop; they share nothing. Three things are of the process: the Resolver and the Checker run on goroutines of their
// own, off the loops; the first feeds the builder of Snapshots, and what the second finds is posted to each loop. Gates bound
// the requests of a Backend over all loops.
//
// Time is monotonic nanoseconds, passed in by the caller, never read here and never zero.
//
// Invariants:
//
//  1. A Conn is in one state: unknown, busy, or in exactly one idle list once.
//  2. An Endpoint's state (pool, latency, health) follows its address from Snapshot to Snapshot.
//  3. An Endpoint that leaves is Gone: its idle Conns are discarded once, its exchanges in flight
//     keep it and end as they will, and nothing is pooled on it again.
//  4. A Set never goes back to an older Snapshot, whatever Snapshot a late request holds.
//
// What never happens here: no socket input or output (but for the Resolver and the Checker), no lock, no atomic (but for a
// Backend with a Gate) and no allocation per request; no import of Kubernetes packages.
//
// Read first: Set, Backend, Endpoint, Attempt; then TestModel and TestEveryCourse.
package upstream
