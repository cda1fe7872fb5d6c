//go:build !race

package clienthello_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
)

// TestNoAllocations covers what runs per connection: hellos whole, refused, in pieces and in records
// of one byte.
func TestNoAllocations(t *testing.T) {
	var h clienthello.Hello
	for _, c := range append(flights(t), flight{raw: []byte(records(hello(sni("a.example"), alpn("h2")), 1))},
		flight{raw: []byte(record(hello(sni("a..b"))))}, flight{raw: []byte("GET /")}) {
		for _, step := range []int{len(c.raw), 64} {
			if n := testing.AllocsPerRun(20, func() {
				h.Reset()
				for end := step; end < len(c.raw)+step; end += step {
					clienthello.Parse(&h, c.raw[:min(end, len(c.raw))], clienthello.Limits{})
				}
				h.ServerName()
			}); n != 0 {
				t.Errorf("%s in pieces of %d: %v allocations", c.name, step, n)
			}
		}
	}
}
