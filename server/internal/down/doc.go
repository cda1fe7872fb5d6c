// Package down is the clients' side of a loop: listening sockets, the connections accepted from them, and their bounds.
//
// A Conn goes through its Phases (phase.go): a PROXY protocol header and TLS where the Listener has them, then one request
// after the other over HTTP/1.1, or a Session of HTTP/2 with a Stream for each request, or the bytes of a TLS connection
// that is passed through to an Endpoint. A Conn and a Stream are the exchange.Down of their Exchanges.
//
// Connections, requests, descriptors and memory are bounded for the process as a whole. Where one of them runs out,
// connections are shed that are idle, or that wait for a client which does not keep up, of the Source that has most of it
// (crowd.go, descriptor.go, account.go). A Source stands for one client: its connections and requests are counted together.
//
// Goroutines: everything belongs to one loop, except Sources and Reserve, which lock, and the counts that Peers read of each
// other.
//
// What never happens here: no lock, allocation or blocking call per request; nothing of Endpoints but to connect to one for
// a connection that is passed through.
//
// Read first: Loop, Conn, Session.
package down
