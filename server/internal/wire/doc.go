// Package wire is the bytes of connections: sockets with and without TLS, the byte half of an HTTP/2 stream, what waits to be
// read or written, and how bytes pass from one side to the other. It knows no protocol but the frames that h2 makes, no
// request, no client and no Endpoint.
//
// A Loop is an event loop with what its connections borrow of it: a Pool of buffers, a scratch buffer for one read, pipes for
// splice(2), the list of what is to be flushed at the end of a batch. A Sock is one connection, a Stream one stream of one;
// both are embedded in what knows a protocol, and both are Bytes, which Ways passes on both ways and a Pipe does inside the
// kernel. An Output writes what the streams of a connection have framed, once per batch of events.
//
// Goroutines: all of a Loop and of what is on it belongs to that loop's goroutine and needs no lock, but for Loop.Use, which
// other loops read.
//
// Invariants:
//
//  1. Who writes owns his bytes again as soon as the call returns: what is not taken at once is copied into a Buffer.
//  2. What one side does not take is bounded by one read (ScratchSize), or one pipe (1 MiB): the other is not read meanwhile.
//  3. A Buffer borrows memory only while it holds bytes, and the Pool counts all that is lent.
//  4. A Pipe that holds bytes is closed when it is given back, never used for another body.
//
// What never happens here: no lock, allocation or blocking call per read or write, but inside crypto/tls.
//
// Memory: a Sock takes 104 bytes and a Stream 176, embedded in their owners; an idle one holds no buffer.
//
// Read first: Loop, Sock, Bytes; then Ways.
package wire
