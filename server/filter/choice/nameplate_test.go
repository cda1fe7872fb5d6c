package choice

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestNameplates: the names in cookies are ingress-nginx's, computed here by md5sum from its sources' rule, so that sessions in
// persistent mode outlive a change from there.
func TestNameplates(t *testing.T) {
	k := routing.BackendKey{Namespace: "default", Service: "web", Port: "80", Variant: "ewma"}
	if got := string(appendMark(nil, k)); got != "6cde5721ec2c7e2bce07cff7d0e4ac37" {
		t.Errorf("Backend: %s", got)
	}
	b := &routing.Backend{Key: k}
	for addr, want := range map[string]string{"10.0.0.7:8080": "e49a5eb8faa3a73c85d9b14f029014f3", "[fd00::7]:8080": "1179469830c56baaea95f4402bac62a4"} {
		at := netip.MustParseAddrPort(addr)
		if got := string(appendNameplate(nil, k, at)); got != want {
			t.Errorf("%s: %s", addr, got)
		}
		b.Endpoints = append(b.Endpoints, routing.Endpoint{Addr: at})
	}
	n := nameplates{}
	for i := range b.Endpoints {
		if place, ok := n.find(b, appendNameplate(nil, k, b.Endpoints[i].Addr)); !ok || place != i {
			t.Errorf("%s is found at %d, %v", b.Endpoints[i].Addr, place, ok)
		}
	}
	for _, key := range []string{"", "00", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"} {
		if _, ok := n.find(b, []byte(key)); ok {
			t.Errorf("%q names an Endpoint", key)
		}
	}
	// One that has left is nobody's.
	next := *b
	next.Endpoints = b.Endpoints[1:]
	if _, ok := n.find(&next, appendNameplate(nil, k, b.Endpoints[0].Addr)); ok {
		t.Error("an Endpoint that has left is found")
	}
}
