//go:build !race && !invariants

package filter

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestLimitsDoNotAllocate: neither for a request that passes all of them, which the list of addresses inside them refuses, nor
// for one that is refused, nor for what clients are told.
func TestLimitsDoNotAllocate(t *testing.T) {
	nobody := &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")})}
	wide := &policy.RequestLimit{
		Zone: t.Name(), PerSecond: 1_000_000, PerMinute: 1_000_000, Multiplier: 5, Status: 503, Fields: true,
		Exempt: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("9.0.0.0/8")}),
	}
	for name, p := range map[string]*policy.Policy{
		"passing": with(wide, &policy.ConnectionLimit{Zone: t.Name(), Most: 10, Status: 503}, &policy.ConcurrencyLimit{Zone: t.Name(), Most: 10, Status: 503}, nobody),
		"refused": with(slowly(t, 0), nobody),
		"told":    with(&policy.RequestLimit{Zone: t.Name() + "/told", PerMinute: 1, Status: 429, Fields: true}, nobody),
		"closed":  with(&policy.ConnectionLimit{Zone: t.Name(), Status: 503}),
	} {
		g := newGateway(t, p, neverAsked(t))
		wantNoAllocation(t, name, g, "GET /x/y?z=1 HTTP/1.1\r\nHost: a.test:8080\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
	}
}
