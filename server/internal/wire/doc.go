// Package wire moves the bytes of connections: sockets with and without TLS, the byte half of an HTTP/2 stream, buffers for
// unread and unsent bytes, and the relay from one side to the other. It knows no protocol but the frames of package h2, no
// request and no Endpoint; of clients it knows the reasons to wait for one, for the timers of their sides.
//
// A Loop is an event loop and the resources that its connections share: a Pool of buffers, a scratch buffer for one read,
// pipes for splice(2), the list of connections to flush at the end of a batch. A Sock is one connection, a Stream one stream
// of an HTTP/2 connection; the types that know a protocol embed one or the other. Both implement Bytes. Ways relays between
// two Bytes in both directions, a Pipe from one Sock to another inside the kernel. An Output writes the frames of all
// streams of a connection, once per batch of events.
//
// Goroutines: a Loop and everything on it belong to the loop's goroutine and need no lock, except Loop.Use, which other
// loops read.
//
// Invariants:
//
//  1. A caller of Write or Send owns its bytes again when the call returns: bytes that are not sent at once are copied into a
//     Buffer.
//  2. Unsent bytes are bounded by one read (ScratchSize) or one pipe (1 MiB): while there are any, the source is not read.
//  3. A Buffer borrows memory only while it holds bytes, and the Pool counts all borrowed memory.
//  4. A Pipe that holds bytes is closed when it is put back, never used for another body.
//
// What never happens here: no lock, allocation or blocking call per read or write, except inside crypto/tls.
//
// Memory: a Sock takes 104 bytes and a Stream 176, embedded in their owners; an idle one holds no buffer.
//
// Read first: Loop, Sock, Bytes; then Ways.
package wire
