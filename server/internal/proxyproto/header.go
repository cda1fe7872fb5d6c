package proxyproto

import "net/netip"

const (
	// MaxV1 is the longest line of version 1 with its CR LF: section 2.1.
	MaxV1 = 107
	// MaxV2 is the longest header of version 2 that is accepted, TLVs included. The format allows
	// 65,551 bytes and recommends 536; the largest registered TLVs together, with a long host name and
	// certificate name, are beyond 536.
	MaxV2 = 4096
	// MaxHeader is the longest header of either version.
	MaxHeader = MaxV2
)

// Header is the content of a PROXY protocol header. The zero value is that of no header; it may be
// copied. The byte slices alias the buffer that was parsed: copy them to keep them beyond it. They are as
// the peer sent them, so they are to be trusted as far as the peer is.
type Header struct {
	// Source is the client, Destination the address it connected to. Both are zero when Local is set.
	// Neither is IPv4-mapped, so the two can be of different families.
	Source, Destination netip.AddrPort

	// ALPN is the protocol that client and sender agreed on, nil when not given.
	ALPN []byte
	// Authority is the host name the client asked for: its server name where it spoke TLS. At most 255
	// bytes, without control bytes and spaces, otherwise not checked. nil when not given.
	Authority []byte
	// UniqueID identifies the connection at the sender, up to 128 bytes of any value. nil when not given.
	UniqueID []byte
	// TLS is the sender's description of a TLS connection that it ended.
	TLS TLS

	// Version is 1 or 2.
	Version uint8
	// Local means that the connection's own addresses are the ones to use: the sender is itself the
	// client (LOCAL, a health check), or does not know it (UNKNOWN, UNSPEC), or names an address of
	// another kind (UNIX sockets, datagrams).
	Local bool
	// Checksum means that the header carried a CRC32c; it was right.
	Checksum bool
}

// TLS is the SSL TLV: section 2.2.6. The zero value means that there was none.
type TLS struct {
	// Version is the name of the protocol version, such as "TLSv1.3", nil when not given.
	Version []byte
	// CommonName is that of the client's certificate, at most 255 bytes without control bytes. nil when not
	// given. It proves nothing unless Verified is set.
	CommonName []byte
	// Used means that the client spoke TLS with the sender.
	Used bool
	// Certificate means that the client showed a certificate, in this connection or in the one that
	// its session began with.
	Certificate bool
	// Verified means that the client showed a certificate and the sender found it valid.
	Verified bool
}

// Parse parses the header at the start of buf. On Done it is the first n bytes. On Incomplete call it again
// with the same bytes and more behind them; when the peer has closed, there is no header. Any other
// Status is final, and the connection is to be closed.
//
// hot: runs per connection; no alloc, no lock.
func Parse(buf []byte) (h Header, n int, st Status) {
	if len(buf) == 0 {
		return Header{}, 0, Incomplete
	}
	if buf[0] == signature[0] {
		n, st = h.parseV2(buf)
	} else {
		n, st = h.parseV1(buf)
	}
	if st != Done {
		return Header{}, 0, st
	}
	return h, n, Done
}

// hasPrefix compares as much of buf with want as there is.
func hasPrefix(buf []byte, want string) bool {
	n := min(len(buf), len(want))
	return string(buf[:n]) == want[:n]
}
