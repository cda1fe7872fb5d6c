package down

import (
	"net/netip"
	"testing"
)

func TestSourceKey(t *testing.T) {
	t.Parallel()
	for _, row := range [][2]string{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"2001:db8:1:2::7", "2001:db8:1:2::"},
		{"2001:db8:1:3::7", "2001:db8:1:3::"},
		{"fe80::1%eth0", "fe80::"},
		{"::1", "::"},
	} {
		if got := sourceKey(netip.MustParseAddr(row[0])); got != netip.MustParseAddr(row[1]) {
			t.Errorf("%s is of %s, want %s", row[0], got, row[1])
		}
	}
}
