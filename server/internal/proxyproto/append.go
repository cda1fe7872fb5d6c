package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// AppendV1 appends the line of version 1 for a connection. Where one address is IPv4 and the other
// IPv6, the former is written IPv4-mapped; where one is missing, the line is UNKNOWN.
func AppendV1(dst []byte, source, destination netip.AddrPort) []byte {
	if !source.IsValid() || !destination.IsValid() {
		return append(dst, "PROXY UNKNOWN\r\n"...)
	}
	a, b := source.Addr().Unmap().WithZone(""), destination.Addr().Unmap().WithZone("")
	if a.Is4() && b.Is4() {
		dst = append(dst, "PROXY TCP4 "...)
	} else {
		a, b = netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16())
		dst = append(dst, "PROXY TCP6 "...)
	}
	dst = append(a.AppendTo(dst), ' ')
	dst = append(b.AppendTo(dst), ' ')
	dst = append(strconv.AppendUint(dst, uint64(source.Port()), 10), ' ')
	dst = strconv.AppendUint(dst, uint64(destination.Port()), 10)
	return append(dst, "\r\n"...)
}

// AppendV2 appends h as a header of version 2; Version is not looked at. Local makes it a LOCAL one without
// anything else, as health checks send. Checksum adds a CRC32c. The fields must be within the bounds stated
// at Header, so that the result is within MaxV2.
func AppendV2(dst []byte, h *Header) []byte {
	start := len(dst)
	dst = append(dst, signature...)
	if h.Local || !h.Source.IsValid() || !h.Destination.IsValid() {
		return append(dst, 2<<4|commandLocal, 0, 0, 0)
	}
	a, b := h.Source.Addr().Unmap(), h.Destination.Addr().Unmap()
	if a.Is4() && b.Is4() {
		dst = append(dst, 2<<4|commandProxy, familyInet<<4|transportStream, 0, 0)
		from, to := a.As4(), b.As4()
		dst = append(append(dst, from[:]...), to[:]...)
	} else {
		dst = append(dst, 2<<4|commandProxy, familyInet6<<4|transportStream, 0, 0)
		from, to := a.As16(), b.As16()
		dst = append(append(dst, from[:]...), to[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, h.Source.Port())
	dst = binary.BigEndian.AppendUint16(dst, h.Destination.Port())

	sum := 0
	if h.Checksum {
		dst = appendTLV(dst, typeCRC32C, zeros[:])
		sum = len(dst) - 4
	}
	dst = appendGivenTLV(dst, typeALPN, h.ALPN)
	dst = appendGivenTLV(dst, typeAuthority, h.Authority)
	dst = appendGivenTLV(dst, typeUniqueID, h.UniqueID)
	dst = h.TLS.appendTo(dst)

	binary.BigEndian.PutUint16(dst[start+headLen-2:], uint16(len(dst)-start-headLen))
	if h.Checksum {
		binary.BigEndian.PutUint32(dst[sum:], checksum(dst[start:], sum-start))
	}
	return dst
}

// appendTo appends the SSL TLV unless it would be empty.
func (t *TLS) appendTo(dst []byte) []byte {
	if !t.Used && !t.Certificate && t.Version == nil && t.CommonName == nil {
		return dst
	}
	client, verify := byte(0), uint32(1)
	if t.Used {
		client |= clientTLS
	}
	if t.Certificate {
		client |= clientCertConn
	}
	if t.Verified {
		verify = 0
	}
	start := len(dst)
	dst = append(dst, typeTLS, 0, 0, client)
	dst = binary.BigEndian.AppendUint32(dst, verify)
	dst = appendGivenTLV(dst, subtypeVersion, t.Version)
	dst = appendGivenTLV(dst, subtypeCommonName, t.CommonName)
	binary.BigEndian.PutUint16(dst[start+1:], uint16(len(dst)-start-tlvHead))
	return dst
}

// appendGivenTLV appends a TLV unless its value is nil.
func appendGivenTLV(dst []byte, kind byte, value []byte) []byte {
	if value == nil {
		return dst
	}
	return appendTLV(dst, kind, value)
}

func appendTLV(dst []byte, kind byte, value []byte) []byte {
	dst = append(dst, kind, byte(len(value)>>8), byte(len(value)))
	return append(dst, value...)
}
