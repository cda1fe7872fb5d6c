// Package proxyproto reads the PROXY protocol, versions 1 and 2, with which a load balancer in front of the
// gateway announces the client's address (haproxy's doc/proxy-protocol.txt): pure functions over bytes.
//
// A connection to a listener with the protocol calls Parse on the bytes it has read so far, before any other
// parser sees them, until the Status is not Incomplete. After Done the payload begins at the n-th byte, and
// Header.Source is the client unless Header.Local is set. There is no guessing: the specification's section 2
// forbids to make the header optional, because every client could then claim any address. For the same reason the
// caller must first have checked that the peer is one that may send it; nothing in this package knows the peer.
//
// Every function runs on the goroutine that calls it, which is the event loop owning the
// connection. Nothing here is shared, locked or global except read-only tables.
//
// Invariants:
//
//  1. The result does not depend on how the bytes were split into reads: for a prefix of the input Parse
//     returns Incomplete or the same as for the whole.
//  2. A header takes at most MaxHeader bytes, so a caller that holds as many never holds too few. A call
//     that ends in Incomplete looks at no more than MaxV1 bytes, one that does not at each byte of
//     the header a fixed number of times.
//  3. An accepted header has one reading: see the list at Error. In particular no address is an IPv4
//     one in IPv6 form, which a list of IPv4 prefixes would not recognise: such an address is unmapped.
//  4. Header.Local means that the header has no addresses to use, never that they were wrong.
//
// Skipped content: addresses of UNIX sockets, of datagrams and of unspecified transports give
// Local, which the specification allows a receiver that cannot use them. Of the registered TLVs
// those in Header are read, the others skipped.
//
// What never happens here: no socket, no clock, no allocation (except one small error inside net/netip for
// an address that does not parse), no import outside the standard library but
// outcome.
//
// Read first: Header, Parse; then TestSpecification.
package proxyproto
