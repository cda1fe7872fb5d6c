package proxyproto

import (
	"encoding/binary"
	"net/netip"
)

// signature begins every header of version 2: section 2.2. No line of version 1 begins with its
// first byte.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// headLen is the length of the part before the addresses: signature, version and command, family
// and transport, and the length of the rest.
const headLen = len(signature) + 4

// The halves of the two bytes behind the signature.
const (
	commandLocal = 0x0
	commandProxy = 0x1

	familyUnspec = 0x0
	familyInet   = 0x1
	familyInet6  = 0x2
	familyUnix   = 0x3

	transportUnspec = 0x0
	transportStream = 0x1
	transportDgram  = 0x2
)

// addressLen is the length of both addresses and ports, by family.
var addressLen = [...]int{
	familyUnspec: 0,
	familyInet:   2*4 + 2*2,
	familyInet6:  2*16 + 2*2,
	familyUnix:   2 * 108,
}

// parseV2 parses a header of version 2. Each byte of the fixed part is checked when it comes, the
// rest when it is complete.
func (h *Header) parseV2(buf []byte) (int, Status) {
	if !hasPrefix(buf, signature) {
		return 0, ErrSignature.failed()
	}
	if len(buf) <= len(signature) {
		return 0, Incomplete
	}
	version, command := buf[12]>>4, buf[12]&0x0f
	switch {
	case version != 2:
		return 0, ErrVersion.failed()
	case command > commandProxy:
		return 0, ErrCommand.failed()
	case len(buf) == 13:
		return 0, Incomplete
	}
	family, transport := buf[13]>>4, buf[13]&0x0f
	if command == commandProxy { // of LOCAL the family is to be ignored
		if family > familyUnix {
			return 0, ErrFamily.failed()
		}
		if transport > transportDgram {
			return 0, ErrTransport.failed()
		}
	}
	if len(buf) < headLen {
		return 0, Incomplete
	}
	n := headLen + int(binary.BigEndian.Uint16(buf[14:]))
	if n > MaxV2 {
		return 0, ErrHeaderTooLong.failed()
	}
	h.Version = 2
	if command == commandLocal || family == familyUnspec || transport == transportUnspec {
		// The whole block is to be discarded: not even the length of an unspecified sender's
		// addresses is known, so there is nowhere for TLVs to begin.
		h.Local = true
		if len(buf) < n {
			return 0, Incomplete
		}
		return n, Done
	}
	addresses := addressLen[family]
	if n < headLen+addresses {
		return 0, ErrAddressTooShort.failed()
	}
	if len(buf) < n {
		return 0, Incomplete
	}
	if transport == transportStream && family != familyUnix {
		h.parseAddresses(buf[headLen:headLen+addresses], family)
	} else {
		h.Local = true
	}
	if err := h.parseTLVs(buf[:n:n], headLen+addresses); err != ErrNone {
		return 0, err.failed()
	}
	return n, Done
}

// parseAddresses reads two addresses and two ports; b has the length that the family requires.
func (h *Header) parseAddresses(b []byte, family byte) {
	var source, destination netip.Addr
	if family == familyInet {
		source, destination = netip.AddrFrom4([4]byte(b)), netip.AddrFrom4([4]byte(b[4:]))
	} else {
		source, destination = netip.AddrFrom16([16]byte(b)).Unmap(), netip.AddrFrom16([16]byte(b[16:])).Unmap()
	}
	ports := b[len(b)-4:]
	h.Source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(ports))
	h.Destination = netip.AddrPortFrom(destination, binary.BigEndian.Uint16(ports[2:]))
}
