// Package routing holds the nouns of the gateway and the lookup from a request to its Route.
//
// A request calls Store.Load once, on the event loop that owns its connection, and passes the
// Snapshot down: NormalizeHost and NormalizePath make what Snapshot.Table.Match takes, which gives
// the Route, and Snapshot.Backend(route) gives the Backend. Building (Builder, Table.With) happens on
// one other goroutine, the informer's.
//
// Invariants:
//
//  1. Nothing reachable from a published Snapshot is mutated. Counters, health and pools live
//     elsewhere, keyed by Backend and Endpoint identity, or behind Route.Attachment, whose owner
//     synchronises them itself.
//  2. There is one atomic pointer in the process, the Store's; a request never sees parts of two
//     Snapshots.
//  3. A Backend keeps its index in Snapshot.Backends for as long as it exists, so that an Endpoint
//     change replaces one Backend and no Host.
//  4. Hosts that did not change are shared between consecutive Snapshots.
//
// What never happens here: no lock, no allocation and no map iteration in Load or Match; no import
// outside the standard library; no input or output.
//
// Read first: Snapshot, Route, Table; then TestMatchSpecification.
package routing
