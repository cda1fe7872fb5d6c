// Package h2 is the protocol state of one HTTP/2 connection, in the server's or the client's role, without
// a socket, a clock or a goroutine (RFC 9113, RFC 7541, RFC 8441).
//
// Bytes that were read go into Conn.Feed, which calls a Handler with their meaning. Output gathers
// until the owner takes it with Conn.Output once per batch: HTTP/2's speed comes from there, many
// streams share one read and one write. A request's head is decoded into the layout of package
// message, as HTTP/1 would bring it, so that the other side of an Exchange does not know which
// protocol it came by; and Conn.OpenRequest, WriteHead and WriteTrailers encode from that layout.
//
//	read(2) ─► Feed ─► Handler.Request, Data, Trailers, Reset ─► WriteHead, WriteData ─► Output ─► write(2) ─► Wrote
//	                                                                    ▲                                   │
//	                                                                    └───────── Handler.Writable ◄───────┘
//
// A connection is used by the event loop that owns it. Connections of one loop have a Shared, which
// holds their configuration, scratch memory and free lists.
//
// Invariants:
//
//  1. The events do not depend on how the bytes were split into reads, except that the payload of a
//     DATA frame is delivered as it comes.
//  2. Memory kept for a peer is bounded: an incomplete frame or header block, and the bodies that the
//     handler keeps, which the flow-control windows bound. Windows are reopened by Conn.Consumed only.
//  3. A message that is malformed in the sense of section 8.1.1 is never delivered to its end: its stream
//     is reset with PROTOCOL_ERROR, and HPACK stays in step. A request whose head is too large can
//     be answered instead, see Handler.Fault.
//  4. A head's bytes are valid HTTP/1: h1 parses them to the same index.
//  5. Frames that cost work and carry nothing are budgeted: see Flood.
//
// What never happens here: no I/O, no timer, no priority of RFC 7540 or 9218, no push, no Upgrade: h2c. Memory
// for a partial frame and for output is given back when it is empty, so that an idle connection holds
// its state only.
//
// Read first: Conn.Feed, Handler, Stream; then TestStreamStates, TestFraming and TestMalformedRequests.
package h2
