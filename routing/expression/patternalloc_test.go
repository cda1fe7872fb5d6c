//go:build !race

package expression

import "testing"

// TestPatternAllocations: a match takes its memory from a pool, of which the race detector drops some at random.
func TestPatternAllocations(t *testing.T) {
	p, err := ParsePattern("/api/(v[0-9]+)/([^/]+)/(.*)")
	if err != nil {
		t.Fatal(err)
	}
	path := []byte("/api/v1/orders/1234567")
	if n := testing.AllocsPerRun(100, func() {
		m := NewMatcher()
		if !p.MatchAll(m, path) || !p.Captures(m, path) {
			t.Error("no match")
		}
		m.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
