//go:build !race && !invariants

package filter

import (
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestKnownTokensDoNotAllocate: a token that was verified costs no memory from then on. What it lets in is answered 404, so that
// nothing else is counted.
func TestKnownTokensDoNotAllocate(t *testing.T) {
	i := newIssuer(t, "a")
	j := &policy.JWT{Keys: policy.Seal(keysOf(i)), Fields: []string{"X-User=sub"}, Cookie: "token"}
	for name, p := range map[string]*policy.Policy{"alone": with(j), "or a password": with(&policy.AnyOf{JWT: j, Basic: &policy.BasicAuth{Users: staff()}})} {
		g := newGatewayOf(t, p, neverAsked(t), func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
			host, _ := b.BuildHost("", []routing.Route{{Path: "/", Type: routing.Prefix, Default: true, Backend: routing.Elsewhere, Source: of}})
			return host, nil
		})
		token := i.token(`,"sub":"alice"`)
		if resp, _ := g.ask("GET", "/", "Authorization", "Bearer "+token); resp.StatusCode != http.StatusNotFound {
			t.Fatalf("%s: a token is answered %d", name, resp.StatusCode)
		}
		wantNoAllocation(t, name, g, "GET / HTTP/1.1\r\nHost: a.test\r\nX-User: root\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		wantNoAllocation(t, name+", in a cookie", g, "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: a=b; token="+token+"\r\n\r\n")
	}
}
