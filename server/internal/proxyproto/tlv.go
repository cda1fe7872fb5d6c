package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
)

// Types of TLVs that are read here: section 2.2.
const (
	typeALPN      = 0x01
	typeAuthority = 0x02
	typeCRC32C    = 0x03
	typeUniqueID  = 0x05
	typeTLS       = 0x20

	subtypeVersion    = 0x21
	subtypeCommonName = 0x22
)

// Bits of the first byte of the SSL TLV.
const (
	clientTLS         = 0x01
	clientCertConn    = 0x02
	clientCertSession = 0x04
)

const (
	tlvHead     = 3   // type and length
	tlsHead     = 5   // client bits and the result of the verification
	maxName     = 255 // of a host name; a longer one names nothing
	maxUniqueID = 128 // section 2.2.5
)

// castagnoli is the polynomial of CRC32c. MakeTable returns a table that is made once.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// parseTLVs reads the TLVs from header[at] to the end of header.
func (h *Header) parseTLVs(header []byte, at int) Error {
	var seen [256 / 64]uint64
	sum := 0 // where the checksum is
	for at < len(header) {
		kind, value, next, ok := nextTLV(header, at)
		if !ok {
			return ErrTLV
		}
		switch kind {
		case typeALPN, typeAuthority, typeCRC32C, typeUniqueID, typeTLS:
			if seen[kind/64]&(1<<(kind%64)) != 0 {
				return ErrTLVTwice
			}
			seen[kind/64] |= 1 << (kind % 64)
		}
		switch kind {
		case typeALPN:
			if len(value) > maxName { // ALPN names have a one-byte length: RFC 7301 section 3.1
				return ErrTLVValue
			}
			h.ALPN = value
		case typeAuthority:
			if len(value) > maxName || !isPrintable(value, ' ') {
				return ErrTLVValue
			}
			h.Authority = value
		case typeCRC32C:
			if len(value) != 4 {
				return ErrTLVValue
			}
			sum = next - 4
		case typeUniqueID:
			if len(value) > maxUniqueID {
				return ErrTLVValue
			}
			h.UniqueID = value
		case typeTLS:
			if err := h.TLS.parse(value); err != ErrNone {
				return err
			}
		}
		at = next
	}
	if sum != 0 {
		if checksum(header, sum) != binary.BigEndian.Uint32(header[sum:]) {
			return ErrChecksum
		}
		h.Checksum = true
	}
	return ErrNone
}

// parse reads the value of an SSL TLV, which holds TLVs of its own.
func (t *TLS) parse(b []byte) Error {
	if len(b) < tlsHead {
		return ErrTLVValue
	}
	client, verify := b[0], binary.BigEndian.Uint32(b[1:])
	t.Used = client&clientTLS != 0
	t.Certificate = client&(clientCertConn|clientCertSession) != 0
	// Senders fill verify with their library's result, which is 0, "no error", also where there was no
	// certificate to verify.
	t.Verified = t.Certificate && verify == 0
	for at := tlsHead; at < len(b); {
		kind, value, next, ok := nextTLV(b, at)
		if !ok {
			return ErrTLV
		}
		var to *[]byte
		least := byte(' ') // must not be in the value, nor any byte below it
		switch kind {
		case subtypeVersion:
			to = &t.Version
		case subtypeCommonName:
			to = &t.CommonName
			least-- // a name may hold spaces
		}
		if to != nil {
			if *to != nil {
				return ErrTLVTwice
			}
			if len(value) > maxName || !isPrintable(value, least) {
				return ErrTLVValue
			}
			*to = value
		}
		at = next
	}
	return ErrNone
}

// nextTLV returns the TLV at b[at] and where the next one begins. The value is never nil.
func nextTLV(b []byte, at int) (kind byte, value []byte, next int, ok bool) {
	if len(b)-at < tlvHead {
		return 0, nil, 0, false
	}
	begin := at + tlvHead
	next = begin + int(binary.BigEndian.Uint16(b[at+1:]))
	if next > len(b) {
		return 0, nil, 0, false
	}
	return b[at], b[begin:next:next], next, true
}

// isPrintable reports whether every byte is above least and not DEL; UTF-8 passes.
func isPrintable(b []byte, least byte) bool {
	for _, c := range b {
		if c <= least || c == 0x7f {
			return false
		}
	}
	return true
}

// checksum returns the CRC32c of header with the four bytes at at taken as zeros: section 2.2.3.
func checksum(header []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, header[:at])
	sum = crc32.Update(sum, castagnoli, zeros[:])
	return crc32.Update(sum, castagnoli, header[at+4:])
}

var zeros [4]byte
