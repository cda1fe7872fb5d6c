// Package server is the data plane of a process: it binds the Listeners, runs the event loops, reloads and drains them, and
// exports the contract of Filters.
//
// The packages that serve requests are below, in internal. Their imports have one direction:
//
//	server ──► down, up, filter ──► exchange ──► wire ──► loop, tlsconn, h2
//
// A request enters on a down.Conn, or a down.Stream of HTTP/2, of the loop that accepted the connection. Its exchange.Core
// finds the Route in the Snapshot, runs the Route's Filters, and gets an up.Conn or an up.Stream to an Endpoint. Bytes go
// through package wire: sockets, TLS on them, buffers, pipes. A worker is one loop with its part of each.
//
// Goroutines: one per loop, a netpoll poller's, to which everything of its worker belongs. Server's methods may be called
// from any goroutine, except Attach; they reach the loops by Post. Handshakes and parked Exchanges have goroutines of their
// own, of bounded numbers.
//
// What never happens here: no import of Kubernetes packages; no effect on the process before Listen.
//
// Read first: Server, worker; then TestExchange.
package server
