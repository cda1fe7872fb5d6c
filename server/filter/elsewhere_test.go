package filter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestElsewhere: what a Host has no path for is redirected all the same, and what is not redirected is the default Route's with all
// that this one asks for, or nobody's.
func TestElsewhere(t *testing.T) {
	object := func(p *policy.Policy) *routing.Source {
		return &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: p}
	}
	gatewayWith := func(fallback *policy.Policy) *gateway {
		return newGatewayOf(t, fallback, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) },
			func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
				host, _ := b.BuildHost("", []routing.Route{
					{Path: "/have", Type: routing.Prefix, Source: object(nil)},
					{Path: "/", Type: routing.Prefix, Default: true, Backend: routing.Elsewhere, Source: object(with(&policy.HTTPS{Code: 308}))},
				})
				if of.Policy == nil {
					return host, nil
				}
				standard, _ := b.BuildDefault([]routing.Route{{Path: "/", Type: routing.Prefix, Source: of}})
				return host, standard
			})
	}
	closed := &policy.Policy{Closed: "for a reason"}
	rewritten := with(&policy.Rewrite{Target: "/inside"})
	for _, row := range []struct {
		fallback          *policy.Policy
		path, scheme      string
		status            int
		body, description string
	}{
		{nil, "/have", "http", 200, "/have", "a path of the Host"},
		{nil, "/not", "http", 308, "", "in the clear"},
		{nil, "/not", "https", 404, "404 not found: no route for this host and path\n", "nobody's"},
		{&policy.Policy{}, "/not", "http", 308, "", "in the clear, with a default Route"},
		{&policy.Policy{}, "/not?q", "https", 200, "/not?q", "the default Route's"},
		{rewritten, "/not?q", "https", 200, "/inside?q", "the default Route's, with a Filter"},
		{closed, "/not", "https", 503, "503 service unavailable: the service of this route does not exist or was refused\n", "the default Route's, closed"},
	} {
		g := gatewayWith(row.fallback)
		for _, two := range []bool{false, true} {
			for range 2 {
				resp, body := g.over(two, "GET", "a.test", row.path, "X-Forwarded-Proto", row.scheme)
				if resp.StatusCode != row.status || body != row.body {
					t.Errorf("%s: got %d %q", row.description, resp.StatusCode, body)
				}
			}
		}
	}
}
