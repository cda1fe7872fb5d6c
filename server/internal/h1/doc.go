// Package h1 is a strict HTTP/1.1 codec (RFC 9110, RFC 9112): pure functions over bytes.
//
// A request calls ParseRequest on the bytes its connection has read so far. The head is indexed in
// place: a message.Request holds offsets into the caller's buffer and no copies, so it stays meaningful when
// the buffer is moved or grown, and becomes meaningless when its first HeadLen bytes are changed.
// The body is framed by Request.ContentLength, or by a Chunked, which either validates the framing
// so that it can be passed on as it is (Feed) or takes it off (Next). Responses go through
// ParseResponse and Response.BodyKind the same way. The Append functions write heads.
//
// Every function runs on the goroutine that calls it, which is the event loop owning the
// connection. Nothing here is shared, locked or global except read-only tables.
//
// Invariants:
//
//  1. The result does not depend on how the bytes were split into reads: any sequence of calls with
//     growing prefixes ends in the same Status and the same offsets as one call with everything. Only
//     when a fault shows may differ: at once, or at the end of its line.
//  2. Work is linear in the bytes received, also when they come one at a time.
//  3. An accepted message has one reading. Anything that two parsers could frame or route
//     differently is an Error: see the list at Error.
//  4. A field that a client names in Connection never removes a field that frames, routes or
//     authenticates the request: see message.ProtectedFields.
//
// What never happens here: no socket, no clock, no allocation (except that Fields grows until it
// has seen the largest head), no normalising of names, order or case, no import outside the
// standard library but message and outcome.
//
// Read first: Request, message.Head, Chunked; then TestRequestSpecification and the corpus in h1test.
package h1
