package proxyproto_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

// signature begins a header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 builds a header of version 2 of its parts: version and command, family and transport, and what
// follows the length.
func v2(command, family byte, parts ...string) string {
	rest := strings.Join(parts, "")
	return v2length(command, family, len(rest), rest)
}

// v2length is v2 with a length of its own.
func v2length(command, family byte, length int, rest string) string {
	b := append([]byte(signature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	return string(b) + rest
}

// tlv builds a type-length-value.
func tlv(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

// Address blocks of version 2: 192.0.2.1:1000 to 198.51.100.2:443, the same for IPv6, and the same
// IPv4 addresses mapped.
const (
	inet       = "\xc0\x00\x02\x01\xc6\x33\x64\x02\x03\xe8\x01\xbb"
	inet6      = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x03\xe8\x01\xbb"
	inetMapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc6\x33\x64\x02\x03\xe8\x01\xbb"
)

// unix is an address block of two socket names.
var unix = strings.Repeat("/", 216)

// describe writes a result in one line: how many bytes, then what is set, or why it was refused.
func describe(h proxyproto.Header, n int, st proxyproto.Status) string {
	if st != proxyproto.Done {
		return st.String()
	}
	s := fmt.Sprintf("%d v%d", n, h.Version)
	if h.Local {
		s += " local"
	} else {
		s += fmt.Sprintf(" %v -> %v", h.Source, h.Destination)
	}
	for _, f := range []struct {
		name  string
		value []byte
	}{{"alpn", h.ALPN}, {"authority", h.Authority}, {"id", h.UniqueID}, {"version", h.TLS.Version}, {"cn", h.TLS.CommonName}} {
		if f.value != nil {
			s += fmt.Sprintf(" %s=%s", f.name, f.value)
		}
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"tls", h.TLS.Used}, {"certificate", h.TLS.Certificate}, {"verified", h.TLS.Verified}, {"checksum", h.Checksum}} {
		if f.set {
			s += " " + f.name
		}
	}
	return s
}

// same compares all of two Headers.
func same(a, b *proxyproto.Header) bool {
	return a.Source == b.Source && a.Destination == b.Destination && bytes.Equal(a.ALPN, b.ALPN) &&
		bytes.Equal(a.Authority, b.Authority) && bytes.Equal(a.UniqueID, b.UniqueID) &&
		bytes.Equal(a.TLS.Version, b.TLS.Version) && bytes.Equal(a.TLS.CommonName, b.TLS.CommonName) &&
		a.TLS.Used == b.TLS.Used && a.TLS.Certificate == b.TLS.Certificate && a.TLS.Verified == b.TLS.Verified &&
		a.Version == b.Version && a.Local == b.Local && a.Checksum == b.Checksum
}

// splitFault gives raw to Parse prefix by prefix and returns what is wrong: each result must be
// Incomplete, or that of the whole and then stay so.
func splitFault(raw []byte) string {
	want, wantN, wantSt := proxyproto.Parse(raw)
	decided := false
	for n := range len(raw) + 1 {
		h, length, st := proxyproto.Parse(raw[:n:n])
		if st == proxyproto.Incomplete && !decided {
			if length != 0 || !same(&h, &proxyproto.Header{}) {
				return fmt.Sprintf("%q: incomplete at %d and yet %d, %+v", raw, n, length, h)
			}
			continue
		}
		decided = true
		if st != wantSt || length != wantN || !same(&h, &want) {
			return fmt.Sprintf("%q: at %d got %s\nwant %s", raw, n, describe(h, length, st), describe(want, wantN, wantSt))
		}
		if st != proxyproto.Done && (length != 0 || !same(&h, &proxyproto.Header{})) {
			return fmt.Sprintf("%q: refused and yet %d, %+v", raw, length, h)
		}
	}
	return ""
}

var (
	client = netip.MustParseAddrPort("192.0.2.1:1000")
	door   = netip.MustParseAddrPort("198.51.100.2:443")
)
