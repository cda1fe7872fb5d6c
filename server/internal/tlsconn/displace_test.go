package tlsconn

import (
	"net/netip"
	"testing"
)

// TestDisplacedSource: a source with few handshakes under way is not displaced for one with many, though
// it has waited longest.
func TestDisplacedSource(t *testing.T) {
	hs := NewHandshakes(Limits{UnderWay: 8})
	admit := func(from string) *handshake {
		t.Helper()
		h := &handshake{set: hs}
		h.wake.L = &h.mu
		hs.mu.Lock()
		err := hs.admitLocked(h, netip.MustParseAddr(from))
		hs.mu.Unlock()
		if err != nil {
			t.Fatalf("one from %s: %v", from, err)
		}
		return h
	}
	for range 6 {
		admit("192.0.2.2") // they compute
	}
	few, many := admit("192.0.2.1"), admit("192.0.2.2")
	hs.wait(few)
	hs.wait(many)
	for i := range 20 {
		next := admit("192.0.2.2") // which needs a place
		if many.why != ErrDisplaced || few.why != nil {
			t.Fatalf("round %d: displaced %v of the many, %v of the few", i, many.why, few.why)
		}
		hs.end(many, many.why)
		hs.wait(next)
		many = next
	}
	// No other waits: then it has to be.
	hs.resume(many)
	if admit("192.0.2.2"); few.why != ErrDisplaced {
		t.Error("nobody gave way")
	}
}
