package routing_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// sample is a Snapshot with one of everything.
func sample() *routing.Snapshot {
	web := &routing.Source{Ingress: routing.ObjectName{Namespace: "shop", Name: "web"}}
	var b routing.Builder
	shop, _ := b.BuildHost("shop.example", []routing.Route{
		{Path: "/", Type: routing.Prefix, Backend: 2, Source: web},
		{Path: "/cart", Type: routing.Prefix, Backend: 2, Source: web},
		{Path: "/cart", Type: routing.Exact, Backend: 0, Source: web},
		{Path: "/cart/items", Type: routing.ImplementationSpecific, Backend: -1, Source: web},
		{Path: "/a b\nhost evil", Type: routing.Prefix, Backend: 0},
	})
	wild, _ := b.BuildHost("*.example", []routing.Route{{Default: true, Backend: 0, Source: web}})
	all, _ := b.BuildHost("", []routing.Route{{Path: "/status", Type: routing.Exact, Backend: 2}})
	fallback, _ := b.BuildDefault([]routing.Route{{Backend: 3, Source: web}})
	return &routing.Snapshot{
		Generation: 7,
		Table: (*routing.Table)(nil).With(map[string]*routing.Host{
			"shop.example": shop, "*.example": wild, "": all,
		}, fallback),
		Backends: []*routing.Backend{
			{Key: routing.BackendKey{Namespace: "shop", Service: "web", Port: "80"}, Index: 0, Protocol: routing.H2C, Balance: routing.EWMA,
				Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort("10.0.0.7:8080"), Zone: "a", Node: "n1"}, {Addr: netip.MustParseAddrPort("[fd00::1]:8080")}}},
			nil,
			{Key: routing.BackendKey{Namespace: "shop", Service: "cart", Port: "http"}, Index: 2},
			{Key: routing.BackendKey{Namespace: "shop", Service: "elsewhere", Port: "443"}, Index: 3, Protocol: routing.HTTPS, ExternalName: "api.example.net", ExternalPort: 443},
		},
	}
}

func TestDump(t *testing.T) {
	const want = `default -> shop/elsewhere:443 ingress shop/web
host *
  Exact /status -> shop/cart:http
host *.example
  default -> shop/web:80 ingress shop/web
host shop.example
  Prefix / -> shop/cart:http ingress shop/web
  Prefix /a%20b%0Ahost%20evil -> shop/web:80
  Exact /cart -> shop/web:80 ingress shop/web
  Prefix /cart -> shop/cart:http ingress shop/web
  ImplementationSpecific /cart/items -> none (503) ingress shop/web
backend shop/cart:http HTTP round_robin
backend shop/elsewhere:443 HTTPS round_robin external api.example.net:443
backend shop/web:80 H2C ewma
  endpoint 10.0.0.7:8080 zone a node n1
  endpoint [fd00::1]:8080
`
	if got := dump(t, sample()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var none *routing.Snapshot
	if got := dump(t, none); got != "" {
		t.Errorf("no Snapshot gives %q", got)
	}
	if err := sample().Dump(full{}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

var errFull = errors.New("full")

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestExplain(t *testing.T) {
	s := sample()
	for _, tt := range []struct{ host, path, want string }{
		{"shop.example", "/cart/items/7", `
request  host shop.example path /cart/items/7
host     shop.example: exact name; wildcards and the catch-all are not asked
         Prefix /: its segments start the path
         Exact /cart: not the same path
         Prefix /cart: its segments start the path
     *   ImplementationSpecific /cart/items: its segments start the path
route    ImplementationSpecific /cart/items: the longest prefix that matches, and no exact path does
`},
		{"shop.example", "/cart", `
request  host shop.example path /cart
host     shop.example: exact name; wildcards and the catch-all are not asked
         Prefix /: its segments start the path
     *   Exact /cart: the same path
         Prefix /cart: its segments start the path
         ImplementationSpecific /cart/items: its segments do not start the path
route    Exact /cart: an exact path is always the longest
`},
		{"a.example", "/x", `
request  host a.example path /x
host     *.example: wildcard for one label, as no host has the exact name
     *   default: its segments start the path
route    default: no path of the host matches, and this default backend belongs to it
`},
		{"elsewhere.test", "/statusx", `
request  host elsewhere.test path /statusx
host     *: catch-all, as no host has the exact name and no wildcard covers it
route    default: no path of the host matches, and only one host is asked: default backend
`},
	} {
		if got := s.Table.Explain([]byte(tt.host), []byte(tt.path)).String(); got != strings.TrimPrefix(tt.want, "\n") {
			t.Errorf("got\n%s\nwant%s", got, tt.want)
		}
	}
	table := s.Table.With(map[string]*routing.Host{"": nil}, nil)
	if got := table.Explain([]byte("elsewhere.test"), []byte("/")).String(); !strings.Contains(got,
		"host     none: no exact name, no wildcard one label above, and no catch-all\nroute    none: no host answers; there is no default backend: 404\n") {
		t.Error(got)
	}
	var many []string
	for i := range 200 {
		many = append(many, "/a/"+strings.Repeat("x", i+1))
	}
	table = (*routing.Table)(nil).With(map[string]*routing.Host{"h": hostOf("h", many...)}, nil)
	e := table.Explain([]byte("h"), []byte(many[150]))
	if len(e.Candidates) != 65 || e.Omitted != 135 || e.Candidates[len(e.Candidates)-1].Route != e.Route {
		t.Errorf("%d candidates and %d more, the last %v", len(e.Candidates), e.Omitted, e.Candidates[len(e.Candidates)-1])
	}
}
