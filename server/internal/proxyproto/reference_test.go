package proxyproto_test

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

// A second implementation, written from the specification's text with other means: expressions and
// whole strings, on complete input only.

var (
	lineV1 = regexp.MustCompile(`^PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP4|TCP6) ([^ \r\n]+) ([^ \r\n]+) ([0-9]+) ([0-9]+))\r\n`)
	octet  = `(?:0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])`
	ipv4   = regexp.MustCompile(`^` + octet + `(?:\.` + octet + `){3}$`)
	number = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,4})$`)
)

// reference returns the content of raw, or false where it is no complete and valid header.
func reference(raw []byte) (h proxyproto.Header, n int, ok bool) {
	if strings.HasPrefix(string(raw), signature) {
		return referenceV2(raw)
	}
	m := lineV1.FindSubmatch(raw)
	if m == nil || len(m[0]) > 107 {
		return h, 0, false
	}
	h.Version = 1
	if len(m[1]) == 0 {
		h.Local = true
		return h, len(m[0]), true
	}
	for i, to := range []*netip.AddrPort{&h.Source, &h.Destination} {
		text, port := string(m[2+i]), string(m[4+i])
		a, err := netip.ParseAddr(text)
		if err != nil || strings.Contains(text, "%") || ipv4.MatchString(text) != (string(m[1]) == "TCP4") {
			return h, 0, false
		}
		p, err := strconv.ParseUint(port, 10, 16)
		if err != nil || !number.MatchString(port) {
			return h, 0, false
		}
		*to = netip.AddrPortFrom(a.Unmap(), uint16(p))
	}
	return h, len(m[0]), true
}

func referenceV2(raw []byte) (h proxyproto.Header, n int, ok bool) {
	if len(raw) < 16 {
		return h, 0, false
	}
	n = 16 + int(binary.BigEndian.Uint16(raw[14:16]))
	if n > len(raw) || n > 4096 {
		return h, 0, false
	}
	header := raw[:n]
	rest := header[16:]
	h.Version = 2
	var skip int
	switch code := uint16(raw[12])<<8 | uint16(raw[13]); code {
	case 0x2111, 0x2112:
		skip = 12
	case 0x2121, 0x2122:
		skip = 36
	case 0x2131, 0x2132:
		skip = 216
	case 0x2100, 0x2101, 0x2102, 0x2110, 0x2120, 0x2130:
		h.Local = true
		return h, n, true
	default:
		h.Local = true
		return h, n, raw[12] == 0x20
	}
	if len(rest) < skip {
		return h, 0, false
	}
	switch raw[13] {
	case 0x11, 0x21:
		width := (skip - 4) / 2
		source, _ := netip.AddrFromSlice(rest[:width])
		destination, _ := netip.AddrFromSlice(rest[width : 2*width])
		h.Source = netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(rest[2*width:]))
		h.Destination = netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(rest[2*width+2:]))
	default:
		h.Local = true
	}
	values, ok := referenceTLVs(rest[skip:])
	if !ok {
		return h, 0, false
	}
	for kind, all := range values {
		value := all[0]
		known := true
		switch kind {
		case 0x01:
			h.ALPN, ok = value, len(value) < 256
		case 0x02:
			h.Authority, ok = value, len(value) < 256 && !regexp.MustCompile(`[\x00-\x20\x7f]`).Match(value)
		case 0x03:
			h.Checksum, ok = true, len(value) == 4
			if ok {
				sum := binary.BigEndian.Uint32(value)
				zeroed := append(append([]byte{}, header[:16+skip]...), flatten(rest[skip:], 0x03)...)
				ok = crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli)) == sum
			}
		case 0x05:
			h.UniqueID, ok = value, len(value) <= 128
		case 0x20:
			h.TLS, ok = referenceTLS(value)
		default:
			known = false
		}
		if !ok || known && len(all) > 1 {
			return h, 0, false
		}
	}
	return h, n, true
}

func referenceTLS(b []byte) (tls proxyproto.TLS, ok bool) {
	if len(b) < 5 {
		return tls, false
	}
	tls.Used = b[0]%2 == 1
	tls.Certificate = b[0]%8 > 1
	tls.Verified = tls.Certificate && string(b[1:5]) == "\x00\x00\x00\x00"
	values, ok := referenceTLVs(b[5:])
	if !ok || len(values[0x21]) > 1 || len(values[0x22]) > 1 {
		return tls, false
	}
	for _, value := range values[0x21] {
		tls.Version = value
		if len(value) > 255 || regexp.MustCompile(`[\x00-\x20\x7f]`).Match(value) {
			return tls, false
		}
	}
	for _, value := range values[0x22] {
		tls.CommonName = value
		if len(value) > 255 || regexp.MustCompile(`[\x00-\x1f\x7f]`).Match(value) {
			return tls, false
		}
	}
	return tls, true
}

// referenceTLVs returns copies of the values by type, in order.
func referenceTLVs(b []byte) (map[byte][][]byte, bool) {
	values := map[byte][][]byte{}
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+int(b[1])<<8+int(b[2]) {
			return nil, false
		}
		end := 3 + int(b[1])<<8 + int(b[2])
		values[b[0]] = append(values[b[0]], append([]byte{}, b[3:end]...))
		b = b[end:]
	}
	return values, true
}

// flatten returns TLVs with the values of one type as zeros.
func flatten(b []byte, zeroed byte) (out []byte) {
	for len(b) > 0 {
		end := 3 + int(b[1])<<8 + int(b[2])
		part := append([]byte{}, b[:end]...)
		if b[0] == zeroed {
			clear(part[3:])
		}
		out, b = append(out, part...), b[end:]
	}
	return out
}
