package proxyproto_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

// accepted are headers, each with its content.
var accepted = []struct{ raw, want string }{
	// Version 1.
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n", "44 v1 192.0.2.1:1000 -> 198.51.100.2:443"},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\nGET / HTTP/1.1\r\n", "44 v1 192.0.2.1:1000 -> 198.51.100.2:443"},
	{"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "56 v1 255.255.255.255:65535 -> 255.255.255.255:65535"},
	{"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "32 v1 0.0.0.0:0 -> 0.0.0.0:0"},
	{"PROXY TCP6 2001:db8::1 2001:DB8::2 1000 443\r\n", "45 v1 [2001:db8::1]:1000 -> [2001:db8::2]:443"},
	{"PROXY TCP6 :: ::1 1 2\r\n", "23 v1 [::]:1 -> [::1]:2"},
	{"PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		"104 v1 [2001:db8::1]:65535 -> [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	// From a socket that listens on both families: an IPv4 client.
	{"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1000 443\r\n", "58 v1 192.0.2.1:1000 -> 198.51.100.2:443"},
	{"PROXY TCP6 ::ffff:c000:201 2001:db8::2 1000 443\r\n", "49 v1 192.0.2.1:1000 -> [2001:db8::2]:443"},
	{"PROXY UNKNOWN\r\n", "15 v1 local"},
	{"PROXY UNKNOWN \r\n", "16 v1 local"},
	{"PROXY UNKNOWN TCP4 what\x00ever  it is\r\n", "37 v1 local"}, // to be ignored: section 2.1
	{"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "107 v1 local"},

	// Version 2, addresses.
	{v2(0x21, 0x11, inet), "28 v2 192.0.2.1:1000 -> 198.51.100.2:443"},
	{v2(0x21, 0x11, inet) + "\x16\x03\x01", "28 v2 192.0.2.1:1000 -> 198.51.100.2:443"},
	{v2(0x21, 0x21, inet6), "52 v2 [2001:db8::1]:1000 -> [2001:db8::2]:443"},
	{v2(0x21, 0x21, inetMapped), "52 v2 192.0.2.1:1000 -> 198.51.100.2:443"},
	// LOCAL: valid, with whatever family, and skipped by its length.
	{v2(0x20, 0x00), "16 v2 local"},
	{v2(0x20, 0x11, inet), "28 v2 local"},
	{v2(0x20, 0xff, "junk"), "20 v2 local"},
	{v2(0x20, 0x11, "x"), "17 v2 local"},
	{v2(0x20, 0x11, inet, tlv(0x05, "id"), "ju"), "35 v2 local"},
	// Addresses of other kinds.
	{v2(0x21, 0x00), "16 v2 local"},
	{v2(0x21, 0x00, "junk"), "20 v2 local"},
	{v2(0x21, 0x10, "junk"), "20 v2 local"},
	{v2(0x21, 0x01, "junk"), "20 v2 local"},
	{v2(0x21, 0x12, inet), "28 v2 local"},
	{v2(0x21, 0x22, inet6), "52 v2 local"},
	{v2(0x21, 0x31, unix), "232 v2 local"},
	{v2(0x21, 0x32, unix, tlv(0x05, "id")), "237 v2 local id=id"},

	// TLVs.
	{v2(0x21, 0x11, inet, tlv(0x01, "h2"), tlv(0x02, "a.example"), tlv(0x05, "id")),
		"50 v2 192.0.2.1:1000 -> 198.51.100.2:443 alpn=h2 authority=a.example id=id"},
	{v2(0x21, 0x11, inet, tlv(0x01, ""), tlv(0x02, ""), tlv(0x05, "")), "37 v2 192.0.2.1:1000 -> 198.51.100.2:443 alpn= authority= id="},
	{v2(0x21, 0x11, inet, tlv(0x05, strings.Repeat("\x00", 128))),
		"159 v2 192.0.2.1:1000 -> 198.51.100.2:443 id=" + strings.Repeat("\x00", 128)},
	// Padding, a cloud's own, an unknown one: skipped, also when there are several.
	{v2(0x21, 0x11, inet, tlv(0x04, "\x00\x00"), tlv(0xea, "\x01vpce-1"), tlv(0xea, ""), tlv(0x99, "x"), tlv(0x30, "ns"), tlv(0x04, "")),
		"58 v2 192.0.2.1:1000 -> 198.51.100.2:443"},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x01\x00\x00\x00\x00"+tlv(0x21, "TLSv1.3"))),
		"46 v2 192.0.2.1:1000 -> 198.51.100.2:443 version=TLSv1.3 tls"}, // verified means nothing without a certificate
	{v2(0x21, 0x11, inet, tlv(0x20, "\x03\x00\x00\x00\x00"+tlv(0x21, "TLSv1.2")+tlv(0x23, "ECDHE")+tlv(0x22, "Bob B\xc3\xa4r"))),
		"65 v2 192.0.2.1:1000 -> 198.51.100.2:443 version=TLSv1.2 cn=Bob Bär tls certificate verified"},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x05\x00\x00\x00\x0a")), "36 v2 192.0.2.1:1000 -> 198.51.100.2:443 tls certificate"},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x00\x00\x00\x00\x01")), "36 v2 192.0.2.1:1000 -> 198.51.100.2:443"},
	// A header that was summed up by hand, bit by bit, by RFC 4960 appendix B.
	{v2(0x21, 0x11, inet, tlv(0x03, handSum(v2(0x21, 0x11, inet, tlv(0x03, "\x00\x00\x00\x00"))))), "35 v2 192.0.2.1:1000 -> 198.51.100.2:443 checksum"},
	{v2(0x21, 0x11, inet, tlv(0x04, strings.Repeat("x", 4096-31))), "4096 v2 192.0.2.1:1000 -> 198.51.100.2:443"},
}

// handSum is the CRC32c of a header, as TLV value.
func handSum(header string) string {
	crc := ^uint32(0)
	for _, c := range []byte(header) {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	crc = ^crc
	return string([]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
}

// refused are inputs, each with the fault. Each is refused also with anything behind it.
var refused = []struct {
	raw  string
	want proxyproto.Error
}{
	// No header at all: who speaks to the listener without one.
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", proxyproto.ErrSignature},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", proxyproto.ErrSignature},
	{"\x16\x03\x01\x02\x00\x01", proxyproto.ErrSignature},
	{"P ", proxyproto.ErrSignature},
	{"proxy TCP4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrSignature},
	{" PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrSignature},
	{"PROXY\r\n", proxyproto.ErrSignature},
	{"PROXY\tTCP4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrSignature},
	{"\r\nPROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrSignature},
	{"\r\n\r\nGET", proxyproto.ErrSignature},
	{"\r\n\r\n\x00\r\nQUIX", proxyproto.ErrSignature},
	{"\x00", proxyproto.ErrSignature},

	// The line.
	{"PROXY UNKNOWN" + strings.Repeat(" ", 94), proxyproto.ErrLineTooLong},
	{"PROXY UNKNOWN" + strings.Repeat("x", 93) + "\r\n", proxyproto.ErrLineTooLong},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 " + strings.Repeat("0", 100), proxyproto.ErrLineTooLong},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\n", proxyproto.ErrLineEnd},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\n\r\n", proxyproto.ErrLineEnd},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\r\n", proxyproto.ErrLineEnd},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\rGET / HTTP/1.1\r\n", proxyproto.ErrLineEnd},
	{"PROXY UNKNOWN\rGET / HTTP/1.1\r\n", proxyproto.ErrLineEnd},
	{"PROXY UNKNOWN\n", proxyproto.ErrLineEnd},
	{"PROXY \n", proxyproto.ErrLineEnd},
	{"PROXY \r\n", proxyproto.ErrProtocol},
	{"PROXY  TCP4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrProtocol},
	{"PROXY tcp4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrProtocol},
	{"PROXY UDP4 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrProtocol},
	{"PROXY TCP5 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrProtocol},
	{"PROXY UNKNOWNS\r\n", proxyproto.ErrProtocol},
	{"PROXY unknown\r\n", proxyproto.ErrProtocol},
	{"PROXY TCP4\r\n", proxyproto.ErrLine},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000\r\n", proxyproto.ErrLine},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443 \r\n", proxyproto.ErrLine},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443 1\r\n", proxyproto.ErrLine},
	{"PROXY TCP4 192.0.2.1  198.51.100.2 1000 443\r\n", proxyproto.ErrLine},
	{"PROXY TCP4 192.0.2.1\t198.51.100.2 1000 443\r\n", proxyproto.ErrLine},
	{"PROXY TCP4  192.0.2.1 1000 443\r\n", proxyproto.ErrAddress},

	// Its addresses.
	{"PROXY TCP4 192.0.2.01 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress}, // octal to some
	{"PROXY TCP4 192.0.2.256 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 192.0.2 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 192.0.2.1. 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 0xc0.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 3221225985 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 192.0.2.1\x00 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 192.0.2.1 localhost 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 2001:db8::1 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 ::ffff:192.0.2.1 ::ffff:192.0.2.1 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP4 192.0.2.1 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 192.0.2.1 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 2001:db8::1 198.51.100.2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 fe80::1%eth0 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 [2001:db8::1] 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 2001::db8::1 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 1:2:3:4:5:6:7 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 00001::1 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},
	{"PROXY TCP6 " + strings.Repeat("0", 50) + "::1 2001:db8::2 1000 443\r\n", proxyproto.ErrAddress},

	// Its ports.
	{"PROXY TCP4 192.0.2.1 198.51.100.2 01000 443\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 00\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 1000 4294967739\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2 0x1 443\r\n", proxyproto.ErrPort},
	{"PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n", proxyproto.ErrPort},

	// Version 2.
	{signature + "\x11\x11", proxyproto.ErrVersion},
	{signature + "\x31", proxyproto.ErrVersion},
	{signature + "\x01", proxyproto.ErrVersion},
	{signature + "\x22", proxyproto.ErrCommand},
	{signature + "\x2f", proxyproto.ErrCommand},
	{signature + "\x21\x41", proxyproto.ErrFamily},
	{signature + "\x21\xf0", proxyproto.ErrFamily},
	{signature + "\x21\x13", proxyproto.ErrTransport},
	{signature + "\x21\x0f", proxyproto.ErrTransport},
	{v2length(0x21, 0x11, 4081, ""), proxyproto.ErrHeaderTooLong},
	{v2length(0x21, 0x00, 0xffff, ""), proxyproto.ErrHeaderTooLong},
	{v2length(0x20, 0x00, 0xffff, ""), proxyproto.ErrHeaderTooLong}, // also where it would be skipped
	{v2length(0x21, 0x11, 0, ""), proxyproto.ErrAddressTooShort},
	{v2length(0x21, 0x11, 11, ""), proxyproto.ErrAddressTooShort},
	{v2length(0x21, 0x12, 11, ""), proxyproto.ErrAddressTooShort},
	{v2length(0x21, 0x21, 12, ""), proxyproto.ErrAddressTooShort},
	{v2length(0x21, 0x31, 215, ""), proxyproto.ErrAddressTooShort},

	// TLVs.
	{v2(0x21, 0x11, inet, "\x04"), proxyproto.ErrTLV},
	{v2(0x21, 0x11, inet, "\x04\x00"), proxyproto.ErrTLV},
	{v2(0x21, 0x11, inet, "\x04\x00\x01"), proxyproto.ErrTLV},
	{v2(0x21, 0x11, inet, "\x04\xff\xff"), proxyproto.ErrTLV},
	{v2(0x21, 0x11, inet, tlv(0x01, "h2"), "\x00\x00"), proxyproto.ErrTLV},
	{v2(0x21, 0x31, unix, "\x00"), proxyproto.ErrTLV},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x01\x00\x00\x00\x00\x21")), proxyproto.ErrTLV},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x01\x00\x00\x00\x00\x21\x00\x08TLSv1.3"), tlv(0x04, "")), proxyproto.ErrTLV}, // reaches out of its parent
	{v2(0x21, 0x11, inet, tlv(0x01, "h2"), tlv(0x01, "http/1.1")), proxyproto.ErrTLVTwice},
	{v2(0x21, 0x11, inet, tlv(0x02, "a"), tlv(0x04, ""), tlv(0x02, "a")), proxyproto.ErrTLVTwice},
	{v2(0x21, 0x11, inet, tlv(0x05, ""), tlv(0x05, "")), proxyproto.ErrTLVTwice},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x00\x00\x00\x00\x00"), tlv(0x20, "\x01\x00\x00\x00\x00")), proxyproto.ErrTLVTwice},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x03\x00\x00\x00\x00"+tlv(0x22, "alice")+tlv(0x22, "bob"))), proxyproto.ErrTLVTwice},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x03\x00\x00\x00\x00"+tlv(0x22, "")+tlv(0x22, "bob"))), proxyproto.ErrTLVTwice},
	{v2(0x21, 0x11, inet, tlv(0x01, strings.Repeat("x", 256))), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x02, strings.Repeat("a", 256))), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x02, "a\r\nb: c")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x02, "a b")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x02, "a\x00")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x05, strings.Repeat("x", 129))), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x20, "")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x01\x00\x00\x00")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x03\x00\x00\x00\x00"+tlv(0x22, "a\nb"))), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x20, "\x03\x00\x00\x00\x00"+tlv(0x21, "TLS v1"))), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x03, "")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x03, "\x00\x00\x00\x00\x00")), proxyproto.ErrTLVValue},
	{v2(0x21, 0x11, inet, tlv(0x03, "\x00\x00\x00\x00")), proxyproto.ErrChecksum},
	{v2(0x21, 0x11, inet, tlv(0x03, handSum(v2(0x21, 0x11, inet, tlv(0x03, "\x00\x00\x00\x00")))), tlv(0x04, "x")), proxyproto.ErrChecksum},
}

func TestSpecification(t *testing.T) {
	for _, c := range accepted {
		if got := describe(proxyproto.Parse([]byte(c.raw))); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.raw, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	seen := map[proxyproto.Error]bool{}
	for _, c := range refused {
		seen[c.want] = true
		for _, raw := range []string{c.raw, c.raw + "GET / HTTP/1.1\r\n\r\n"} {
			if _, _, st := proxyproto.Parse([]byte(raw)); st.Err() != c.want {
				t.Errorf("%q: got %v, want %v", raw, st, c.want)
			}
		}
	}
	for e := proxyproto.ErrSignature; e <= proxyproto.ErrChecksum; e++ {
		if !seen[e] {
			t.Errorf("no row is refused because of %v", e)
		}
		if e.Reason() == "" || e.Error() != e.Reason() {
			t.Errorf("Error %d has no reason", e)
		}
	}
}

// TestIncomplete takes every proper prefix of every accepted header.
func TestIncomplete(t *testing.T) {
	for _, c := range accepted {
		_, n, _ := proxyproto.Parse([]byte(c.raw))
		for i := range n {
			if _, _, st := proxyproto.Parse([]byte(c.raw[:i])); st != proxyproto.Incomplete {
				t.Errorf("%q: got %v", c.raw[:i], st)
			}
		}
	}
}

// TestSplit: the split into reads changes nothing.
func TestSplit(t *testing.T) {
	for _, c := range accepted {
		if fault := splitFault([]byte(c.raw)); fault != "" {
			t.Error(fault)
		}
	}
	for _, c := range refused {
		if fault := splitFault([]byte(c.raw)); fault != "" {
			t.Error(fault)
		}
	}
}

// TestMutations changes every byte of every accepted header to values that mean something somewhere:
// whatever comes of it must be the same however it is split, and within bounds.
func TestMutations(t *testing.T) {
	for _, c := range accepted {
		if len(c.raw) > 300 {
			continue
		}
		for i := range len(c.raw) {
			for _, b := range []byte("\x00\x01\x04\x20\x7f\xff\r\n :.%0") {
				raw := []byte(c.raw)
				raw[i] = b
				if fault := splitFault(raw); fault != "" {
					t.Fatal(fault)
				}
				if h, n, st := proxyproto.Parse(raw); st == proxyproto.Done {
					checkAccepted(t, raw, h, n)
				}
			}
		}
	}
}

// checkAccepted holds what was accepted to the invariants, and to writing it and reading it again.
func checkAccepted(t *testing.T, raw []byte, h proxyproto.Header, n int) {
	t.Helper()
	if n <= 0 || n > proxyproto.MaxHeader || h.Version == 1 && n > proxyproto.MaxV1 || n > len(raw) {
		t.Fatalf("%q: header of %d bytes", raw, n)
	}
	if h.Local {
		if h.Source != (netip.AddrPort{}) || h.Destination != (netip.AddrPort{}) {
			t.Fatalf("%q: local, with addresses %v %v", raw, h.Source, h.Destination)
		}
		return
	}
	for _, a := range []netip.AddrPort{h.Source, h.Destination} {
		if !a.IsValid() || a.Addr().Is4In6() || a.Addr().Zone() != "" {
			t.Fatalf("%q: address %v", raw, a)
		}
	}
	if again, m, st := proxyproto.Parse(proxyproto.AppendV2(nil, &h)); st != proxyproto.Done || m == 0 {
		t.Fatalf("%q: written again: %v", raw, st)
	} else if again.Version = h.Version; !same(&again, &h) {
		t.Fatalf("%q: written again:\n got %+v\nwant %+v", raw, again, h)
	}
	if again, _, _ := proxyproto.Parse(proxyproto.AppendV1(nil, h.Source, h.Destination)); again.Source != h.Source || again.Destination != h.Destination {
		t.Fatalf("%q: written again as version 1: %+v", raw, again)
	}
}
