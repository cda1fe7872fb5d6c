// Package up is the Endpoints' side of a loop: connections to them, and how an Exchange gets one.
//
// A Conn speaks HTTP/1.1 and belongs to one Exchange at a time, or to its Endpoint's Pool (package upstream). A Session is a
// connection of HTTP/2 with a Stream for each of its requests; one for requests that announce trailers has a single Stream
// (lone.go). A Conn and a Stream are the exchange.Up of their Exchanges, and Loop is the exchange.Dialer that finds them.
//
// Goroutines: all of it belongs to one loop.
//
// Invariants:
//
//  1. A Conn goes back to its Pool only with nothing left on it either way, and a byte that comes on an idle one closes it: it
//     belongs to no request.
//  2. A Session that has ended, was taken leave of (GOAWAY) or floods gets no further requests; those under way go on.
//
// What never happens here: no lock, allocation or blocking call per request; nothing of clients, of whom it knows no more than
// what exchange.Core tells.
//
// Read first: Loop, Conn, Session.
package up
