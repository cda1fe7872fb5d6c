//go:build !race

package wire

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// TestRelayNoAllocations: bytes that are read, kept for a while, written and flushed cost no memory of their own.
func TestRelayNoAllocations(t *testing.T) {
	l := newLoop(t)
	c, client := connect(t, l)
	u, endpoint := connect(t, l)
	var w Ways
	piece := body(4 << 10)
	b := make([]byte, len(piece))
	pass := func() {
		client.Write(piece)
		arrives(t, c)
		u.Writable = false
		w.Relay(l, c, u)
		u.Note(loop.Writable)
		w.Relay(l, c, u)
		for n := 0; n < len(b); {
			m, err := endpoint.Read(b[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
	}
	pass()
	if n := testing.AllocsPerRun(200, pass); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
