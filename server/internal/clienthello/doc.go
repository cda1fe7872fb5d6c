// Package clienthello reads a TLS ClientHello from the first bytes of a connection (RFC 8446 section
// 4.1.2, RFC 5246 section 7.4.1.2), without answering it: pure functions over bytes.
//
// A connection that speaks TLS calls Parse on the bytes it has read so far. After Done its ServerName
// decides where it belongs, so that it can be passed through to a Backend with the same bytes, or
// that a handshake can start without waiting for the client first. ErrNotTLS shows at the first byte
// when the client speaks another protocol, such as plain HTTP.
//
// Every function runs on the goroutine that calls it, which is the event loop owning the
// connection. Nothing here is shared, locked or global except read-only tables.
//
// Invariants:
//
//  1. The result does not depend on how the bytes were split into reads, nor, for the content of a
//     Hello, on how the client cut the message into records.
//  2. Work is linear in the bytes received, also when they come one at a time and in records of one
//     byte: a record is looked at when its header comes, the message once, when it is complete.
//  3. Parse never asks for more than Limits.MaxBytes bytes: a message that would end behind them
//     is refused when that is known.
//  4. An accepted hello has one reading. Every length is exact, no extension comes twice, and there is
//     one name. See the list at Error. Extensions that are not read here are skipped by their length.
//  5. ServerName is lower case and a host name: nothing in it needs quoting in a log or a header.
//
// With Encrypted Client Hello (RFC 9849) the name is that of the outer hello, the public name of the
// client-facing server. The inner one cannot be read without its key, and none is held here.
//
// What never happens here: no socket, no clock, no cryptography, no allocation, no import
// outside the standard library but outcome.
//
// Read first: Hello, Parse; then TestSpecification.
package clienthello
