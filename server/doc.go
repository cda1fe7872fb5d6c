// Package server is the data plane: listeners, connections, the exchange of one request for one
// response, and its filters.
//
// A request enters on a down.Conn, owned by the loop that accepted it. The loop's worker parses the
// head in its scratch buffer, finds the Route in the Snapshot that it loads once, runs the Route's
// filters, writes the forwarded head into the Exchange's buffer, and sends it on an up.Conn from the
// loop's own pool. Bodies stream through the scratch buffer, or through a pipe by splice(2), and
// stop where the other side does not take them.
//
// A client that speaks HTTP/2 has a down.Session behind its down.Conn, with a down.Stream for each request; an
// Endpoint that does has an up.Session, which its requests share, with an up.Stream each. The Exchange knows
// no protocol: it stands between two sides (side.go).
//
// The bytes of both, and how they pass on, are package wire's: Sock, Stream, Pipe, Ways.
//
// Before its first request a down.Conn may have to go through a PROXY protocol header and TLS; and one whose
// server name wants Passthrough never has a request: a passthrough copies its bytes to an Endpoint and back.
//
// Goroutines: one per loop, a netpoll poller's. Everything named worker, down.Conn, up.Conn, down.Session,
// up.Session, down.Stream, up.Stream, passthrough or Exchange belongs to it, and needs no lock. Server's methods may be called from any goroutine; they
// reach the loops by Post.
//
// Invariants:
//
//  1. The scratch buffer holds one read at a time: whatever outlives the call is copied.
//  2. At most one side's bytes wait, bounded by one read in memory (64 KiB) or one pipe in the kernel
//     (1 MiB): a side is read only when the other has taken everything.
//  3. An up.Conn serves one Exchange at a time, and returns to the pool only after a complete
//     response with nothing behind it.
//  4. A response that did not arrive whole is never given a proper end.
//
// What never happens here: no lock, allocation or blocking call per request; no import of
// Kubernetes packages.
//
// Read first: worker, down.Conn, Exchange; then TestExchange.
package server
