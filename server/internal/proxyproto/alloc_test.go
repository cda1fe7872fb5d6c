//go:build !race

package proxyproto_test

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

// TestNoAllocations covers what runs per connection. A refused address is left out: netip makes an
// error of it.
func TestNoAllocations(t *testing.T) {
	raws := map[string][]byte{}
	for _, c := range accepted {
		raws[c.raw] = []byte(c.raw)
	}
	for _, c := range refused {
		if c.want != proxyproto.ErrAddress {
			raws[c.raw] = []byte(c.raw)
		}
	}
	for name, raw := range raws {
		if n := testing.AllocsPerRun(20, func() { proxyproto.Parse(raw) }); n != 0 {
			t.Errorf("Parse %q: %v allocations", name, n)
		}
	}
	out := make([]byte, 0, proxyproto.MaxHeader)
	h := proxyproto.Header{Source: client, Destination: netip.MustParseAddrPort("[2001:db8::2]:443"), Authority: []byte("a"), Checksum: true}
	if n := testing.AllocsPerRun(20, func() {
		out = proxyproto.AppendV1(out[:0], h.Source, h.Destination)
		out = proxyproto.AppendV2(out[:0], &h)
	}); n != 0 {
		t.Errorf("Append: %v allocations", n)
	}
}
