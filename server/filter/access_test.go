package filter

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestAccess: against the definition, a look at every prefix, with random lists and addresses near their ends.
func TestAccess(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	random := func() netip.Addr {
		if r.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))})
		}
		b := [16]byte{0xfd, byte(r.IntN(3))}
		b[15] = byte(r.IntN(256))
		return netip.AddrFrom16(b)
	}
	list := func(n int) (all []netip.Prefix) {
		for range n {
			a := random()
			all = append(all, netip.PrefixFrom(a, a.BitLen()-r.IntN(20)))
		}
		return all
	}
	has := func(list []netip.Prefix, a netip.Addr) bool {
		for _, p := range list {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	counts := map[int]int{}
	for range 20 {
		allow, deny := list(r.IntN(2)*r.IntN(30)), list(r.IntN(10))
		clone := func(l []netip.Prefix) []netip.Prefix { return policy.Disjoint(append([]netip.Prefix(nil), l...)) }
		g := newGateway(t, with(&policy.Access{Allow: clone(allow), Deny: clone(deny)}), func(http.ResponseWriter, *http.Request) {})
		for range 100 {
			a := random()
			if all := append(allow[:len(allow):len(allow)], deny...); len(all) > 0 && r.IntN(2) == 0 {
				if a = all[r.IntN(len(all))].Masked().Addr(); r.IntN(2) == 0 {
					a = a.Prev()
				}
			}
			want := 200
			if has(deny, a) || len(allow) > 0 && !has(allow, a) {
				want = 403
			}
			counts[want]++
			if resp, _ := g.ask("GET", "/", "X-Forwarded-For", a.String()); resp.StatusCode != want {
				t.Fatalf("%v, allow %v, deny %v: got %d, want %d", a, allow, deny, resp.StatusCode, want)
			}
		}
	}
	if counts[200] < 200 || counts[403] < 200 {
		t.Errorf("%v", counts)
	}
}

// TestAccessOfGRPC: a gRPC client is refused in a form that it reads.
func TestAccessOfGRPC(t *testing.T) {
	g := newGateway(t, with(&policy.Access{Deny: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}), func(http.ResponseWriter, *http.Request) {
		t.Error("the Backend was asked")
	})
	resp, body := g.ask("POST", "/", "Content-Type", "application/grpc")
	if resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") != "7" || body != "" {
		t.Errorf("got %d %v %q", resp.StatusCode, resp.Header, body)
	}
}
