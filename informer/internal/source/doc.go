// Package source turns the outside world into Events: objects of a cluster, objects of manifests, and the
// addresses of the machine in, Events in a Queue out.
//
// An Event is a Key and the new state of what it names: a typed object, nil where it is gone, the Faults of a
// file, or the report of a watch of Secrets. A source pushes Events into the Queue, where a later one of the same
// Key replaces an earlier one, and marks with Listed that its first full list is in it. The one receiver, the
// goroutine of informer's Controller.Run, waits for Wake and takes all that is queued.
//
//	API server ── Cluster, SecretWatches ──┐
//	folder ────── Manifests ───────────────┼──► Queue ── Wake, Take ──► receiver
//	interfaces ── WatchNode ───────────────┘
//
// A folder of manifests is found by readFolder, each file split by documents, compared with its types by shape,
// and kept by Manifests; only Manifests remembers earlier scans. ReadManifests is for one look.
//
// Goroutines: Run of Cluster and Manifests, each watch of Secrets and WatchNode have one of their own, and share
// nothing but the Queue and a Reach, which are safe for concurrent use. SecretWatches is the receiver's.
//
// Invariants:
//
//  1. An Event in the Queue is the latest state of its Key, and the Queue holds one of each Key at most.
//  2. A file of manifests takes effect as a whole or not at all: one that does not read keeps its last good state
//     and has a Fault. Nothing in a file is left out without a Fault, a Skipped or a line of the log.
//  3. A failure of a source changes no object: what was delivered stays until the source delivers its change.
//  4. No Fault, no error and no line of a log has a value of a Secret.
//
// What never happens here: nothing decides what an object means, whose it is or whether it is served. No
// Snapshot, no Rejection, no annotation is known; nothing is written to a cluster, although the clients for that
// are made here.
//
// Memory: objects are kept as they were delivered, without managedFields, and a Cluster shares them with its
// informers; see trim for what else is dropped.
//
// Read first: Event, Queue, Manifests; then TestScan and TestNothingIsDropped.
package source
