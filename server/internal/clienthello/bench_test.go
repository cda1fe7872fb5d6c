package clienthello_test

import (
	"crypto/tls"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
)

func BenchmarkParse(b *testing.B) {
	raw := firstFlight(&tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}})
	for _, c := range []struct {
		name string
		raw  []byte
		step int
	}{
		{"records=1", raw, len(raw)},
		{"records=1/drip", raw, 1},
		{"records=1500", []byte(records(string(raw[5:]), 1)), 16 << 10},
		{"records=1500/drip", []byte(records(string(raw[5:]), 1)), 1}, // the worst client
	} {
		b.Run(c.name, func(b *testing.B) {
			var h clienthello.Hello
			b.ReportAllocs()
			b.SetBytes(int64(len(c.raw)))
			for b.Loop() {
				h.Reset()
				st := clienthello.Incomplete
				for end := c.step; st == clienthello.Incomplete; end += c.step {
					st = clienthello.Parse(&h, c.raw[:min(end, len(c.raw))], clienthello.Limits{})
				}
				if st != clienthello.Done {
					b.Fatal(st)
				}
			}
		})
	}
}
