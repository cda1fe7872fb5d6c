// Package down is the clients' side of a loop: listening sockets, the connections accepted from them, and what bounds these.
//
// A Conn goes through its Phases (phase.go): a PROXY protocol header and TLS where the Listener has them, then one request
// after the other over HTTP/1.1, or a Session of HTTP/2 with a Stream for each request, or the bytes of a TLS connection that
// is passed through to an Endpoint. A Conn and a Stream are the exchange.Down of their Exchanges.
//
// A Source is what one client can be taken to hold. Connections, requests, descriptors and memory are bounded for the process
// as a whole, and where one of them runs out, what is idle, or waits for a client that does not keep up, gives way, of the
// Source that has most (crowd.go, descriptor.go, account.go).
//
// Goroutines: all of it belongs to one loop, but for Sources and Reserve, which lock, and the numbers that Peers read of each
// other.
//
// What never happens here: no lock, allocation or blocking call per request; nothing of Endpoints but to connect to one for a
// connection that is passed through.
//
// Read first: Loop, Conn, Session.
package down
