package proxyproto_test

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

func TestAppendV1(t *testing.T) {
	for _, c := range []struct{ source, destination, want string }{
		{"192.0.2.1:1000", "198.51.100.2:443", "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n"},
		{"[2001:db8::1]:0", "[2001:db8::2]:65535", "PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n"},
		{"[fe80::1%eth0]:1", "[fe80::2%eth0]:2", "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"},
		{"[::ffff:192.0.2.1]:1000", "198.51.100.2:443", "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n"},
		{"192.0.2.1:1000", "[2001:db8::2]:443", "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1000 443\r\n"},
		{"", "198.51.100.2:443", "PROXY UNKNOWN\r\n"},
	} {
		source, _ := netip.ParseAddrPort(c.source)
		if got := proxyproto.AppendV1([]byte("x"), source, netip.MustParseAddrPort(c.destination)); string(got) != "x"+c.want {
			t.Errorf("%s -> %s: got %q, want %q", c.source, c.destination, got, c.want)
		}
	}
}

func TestAppendV2(t *testing.T) {
	for _, h := range []proxyproto.Header{
		{Source: client, Destination: door},
		{Source: client, Destination: netip.MustParseAddrPort("[2001:db8::2]:443"), Checksum: true},
		{Source: client, Destination: door, ALPN: []byte("h2"), Authority: []byte("a.example"), UniqueID: []byte{0, 1}, Checksum: true},
		{Source: client, Destination: door, TLS: proxyproto.TLS{Used: true, Version: []byte("TLSv1.3")}},
		{Source: client, Destination: door, TLS: proxyproto.TLS{Used: true, Certificate: true, CommonName: []byte("Bob")}},
		{Source: client, Destination: door, TLS: proxyproto.TLS{Used: true, Certificate: true, Verified: true}},
		{Local: true},
	} {
		raw := proxyproto.AppendV2([]byte("x"), &h)[1:]
		got, n, st := proxyproto.Parse(append(raw, "rest"...))
		h.Version = 2
		if st != proxyproto.Done || n != len(raw) || !same(&got, &h) {
			t.Errorf("got %v %d %+v\nwant %+v", st, n, got, h)
		}
	}
}
