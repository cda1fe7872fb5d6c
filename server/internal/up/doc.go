// Package up is the Endpoints' side of a loop: connections to them, and how an Exchange gets one.
//
// A Conn speaks HTTP/1.1 and belongs to one Exchange at a time, or to its Endpoint's Pool (package upstream). A Session is
// an HTTP/2 connection with a Stream for each of its requests; a lone Session, for requests that announce trailers, has one
// Stream at a time (lone.go). A Conn and a Stream are the exchange.Up of their Exchanges, and Loop is the exchange.Dialer
// that finds them.
//
// Goroutines: everything belongs to one loop.
//
// Invariants:
//
//  1. A Conn goes back to its Pool only when no byte is left on it in either direction. A byte that arrives on an idle Conn
//     belongs to no request, and closes it.
//  2. A Session that has ended, has received GOAWAY, or whose Endpoint floods gets no further requests; those under way go on.
//
// What never happens here: no lock, allocation or blocking call per request, except to dial; no knowledge of clients beyond
// exchange.Core.
//
// Read first: Loop, Conn, Session.
package up
