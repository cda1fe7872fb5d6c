// Package message is the head of a request or a response in the form that every part of the gateway
// reads, whichever protocol it came by.
//
// A codec (h1, h2) fills a Request or a Response from the bytes it reads, and writes a head from one.
// The code between the codecs knows this form only, and no codec knows its counterpart.
//
// The form is an index over bytes. The bytes are laid out as HTTP/1.1 lays them out: a start line,
// field lines "name: value" CR LF that follow one another without a gap, and CR LF. HTTP/1 comes like
// that; a codec of another version writes its heads out like that, once, because the bytes must be
// copied out of their coding anyway. So a run of fields can be forwarded as one piece, and an index
// holds offsets (Span) in place of slices: half the size, no pointers, and good after the buffer moved.
//
//	POST /a?b HTTP/1.1    MethodSpan, Target, Path, Query
//	host: test.com        Fields[0] {Name, Value, ID: FieldHost}    Authority, Host, Port
//	te: trailers          Fields[1] {Name, Value, ID: FieldTE, Hop: true}
//	                      HeadLen
//
// Everything runs on the goroutine that calls it. Nothing here is shared, locked or global except
// read-only tables.
//
// Invariants:
//
//  1. The codec that fills a Head has validated it: names are tokens, values hold no control byte
//     but HTAB, the authority is host[:port], at most one Host and one length.
//  2. A Span is meaningful as long as the bytes from the start line to HeadLen are unchanged.
//  3. A field with Hop set is not forwarded. Every other property of the connection is in a flag of
//     its own, for the codec that writes the head to express in its protocol's way.
//
// What never happens here: no allocation, no normalising of names, order or case, no import outside
// the standard library.
//
// Read first: Head, Request, FieldID.
package message
