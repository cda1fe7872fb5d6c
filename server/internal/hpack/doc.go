// Package hpack compresses and decompresses the header fields of HTTP/2 (RFC 7541): functions over
// bytes, and the two dynamic tables of a connection.
//
// A request's header block goes through Decoder.Begin and Decoder.Next, one field a call. A Field
// aliases its source, so that the caller copies each name and value once, to its destination; its
// NameID, and a Mark that the caller can store in the table, save looking at the bytes of a name or
// value that was seen before. Blocks are written with the Append functions of an Encoder, which
// decides by name which fields are worth a place in the peer's table.
//
// Every function runs on the goroutine that calls it, which is the event loop owning the connection.
// A connection has one Decoder and one Encoder. A Field, with its scratch buffer, is for the whole
// loop. Nothing here is shared, locked or global except read-only tables.
//
// Invariants:
//
//  1. Work is linear in the bytes of a block and of the fields that it names, and so is memory: a
//     table never takes more than about 1.4 times the size agreed on, and nothing before its first entry.
//  2. A Field stays valid until the next call of Next, whatever the field itself evicted.
//  3. Searching the Encoder's table takes at most eight comparisons, whatever fields it holds.
//  4. A block is decoded to the same fields as by golang.org/x/net/http2/hpack, or refused where that
//     refuses it; the differences are listed at FuzzDecode.
//
// What never happens here: no socket, no clock, no lock, no allocation once tables and scratch have
// their size, no judgement about names and values (that is RFC 9113 section 8, and the caller's), no
// import outside the standard library.
//
// Memory of a connection: a Decoder and an Encoder are 224 bytes together. A table of the default
// size grows to at most 4096 bytes of fields and 1536 of entries; the Encoder adds at most 2048 for
// searching.
//
// Read first: Decoder, Encoder, table; then TestSpecification and FuzzDecode.
package hpack
