package proxyproto_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

func BenchmarkParse(b *testing.B) {
	full := proxyproto.Header{Source: client, Destination: door, ALPN: []byte("h2"), Authority: []byte("www.example.com"),
		UniqueID: []byte("0123456789abcdef"), TLS: proxyproto.TLS{Used: true, Version: []byte("TLSv1.3")}, Checksum: true}
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"v1=TCP4", proxyproto.AppendV1(nil, client, door)},
		{"v1=TCP6", []byte("PROXY TCP6 2001:db8:1:2:3:4:5:6 2001:db8:1:2:3:4:5:7 56324 443\r\n")},
		{"v2=addresses", []byte(v2(0x21, 0x11, inet))},
		{"v2=TLVs", proxyproto.AppendV2(nil, &full)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.raw)))
			for b.Loop() {
				if _, _, st := proxyproto.Parse(c.raw); st != proxyproto.Done {
					b.Fatal(st)
				}
			}
		})
	}
}
