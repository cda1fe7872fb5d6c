package source

import (
	"net/netip"
	"slices"
	"testing"
)

// TestOwnAddresses: those of this machine have loopback among them, sorted.
func TestOwnAddresses(t *testing.T) {
	own, err := OwnAddresses()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(own, netip.Addr.Compare) || !slices.Contains(own, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("own addresses %v", own)
	}
}
