// Package exchange is one request and its response, between a client's side and an Endpoint's, and the Filters around both.
//
// An Exchange routes a request by the Snapshot that it loads once, runs the request phase of the Route's Chain, gets a side to
// an Endpoint from the loop's Dialer, and moves heads and bodies between the two sides, replayed on another Endpoint where
// that is safe. It knows no protocol and no connection: heads are indexes over bytes (package message), bodies are Flows from
// one framing to another, and a side is whatever implements Down or Up. The one exception is the bytes of a forwarded
// HTTP/1.1 head, which are written once and kept for a replay.
//
// There are two views of one memory. A Filter sees an Exchange, whose methods are the contract that package server exports. The
// sides, and their packages, see its Core: what moves the request on, and what they may know of it (core.go).
//
// Goroutines: everything belongs to one event loop, and needs no lock, but for Policies and their Chains, which are immutable
// and shared, the Attacher, which belongs to the goroutine that builds Snapshots, and what Park runs.
//
// Invariants:
//
//  1. The loop's scratch memory holds one read, or one head, at a time: what outlives the call is copied.
//  2. A side is read only when the other has taken everything, so that one read in memory (64 KiB) or one pipe in the kernel
//     (1 MiB) waits in each direction.
//  3. A side goes back to its pool only behind a request that was sent to the byte and a response that was read to the byte.
//  4. A response that did not arrive whole is never given a proper end.
//
// What never happens here: no lock, allocation or blocking call per request; no descriptor but those of pipes.
//
// Read first: Core, Down and Up, Filter.
package exchange
