// Package exchange carries one request and its response between a client's side and an Endpoint's, through the Filters
// around both.
//
// An Exchange routes a request by the Snapshot that it loads once, runs the request phase of the Route's Chain, gets a side
// to an Endpoint from the loop's Dialer, and moves heads and bodies between the two sides; where that is safe, the request
// is replayed on another Endpoint. It knows no protocol and no connection: heads are indexes over bytes (package message),
// bodies are Flows from one framing to another, and a side is any implementation of Down or Up. The one exception is the
// forwarded HTTP/1.1 head, whose bytes are written once and kept for a replay.
//
// One memory has two views. A Filter sees an Exchange, whose methods are the contract that package server exports. The sides
// see its Core: the methods that move the request on, and those that describe it (core.go).
//
// Goroutines: everything belongs to one event loop and needs no lock, except Policies and their Chains, which are immutable
// and shared, the Compiler, which belongs to the goroutine that builds Snapshots, and the function that Park runs.
//
// Invariants:
//
//  1. The loop's scratch memory holds one read, or one head, at a time: bytes that outlive the call are copied.
//  2. A side is read only when the other has taken everything, so that at most one read in memory (64 KiB) or one pipe in the
//     kernel (1 MiB) waits in each direction.
//  3. An Endpoint's side goes back to its pool only behind a request that was sent to its last byte and a response that was
//     read to its last byte.
//  4. A response that did not arrive whole is never given a proper end.
//
// What never happens here: no lock, allocation or blocking call per request; no descriptor but those of pipes.
//
// Read first: Core, Down and Up, Filter.
package exchange
