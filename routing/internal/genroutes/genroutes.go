package genroutes

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// Request is a normalised host and path.
type Request struct{ Host, Path []byte }

var (
	teams     = strings.Fields("account analytics auth billing booking cart catalog chat checkout content customer delivery discovery feed finance fraud gateway identity inventory ledger loyalty media message mobile notification order payment pricing product profile promo recommend refund report review search security session shipping stock subscription support tax tracking user wallet warehouse wishlist")
	resources = strings.Fields("accounts actions addresses alerts approvals assets audits balances batches cards categories claims comments contacts coupons credits devices discounts documents events exports features files filters groups history images imports invoices items jobs labels limits links lists logs members messages metrics notes offers options orders pages payments permissions photos plans policies prices profiles queries quotas ratings receipts regions reports requests results roles rules schedules segments sessions settings shipments statements stats status steps stores streams summaries tags targets tasks teams templates tickets tokens topics transfers trends users values versions views vouchers webhooks workflows zones")
	domains   = strings.Fields("example.com example.org shop.example prod.internal.example eu.example.net staging.example.dev")
)

// OneHost returns n different Routes of one host: an API gateway's, three to six segments deep, most
// of them Prefix, some Exact.
func OneHost(host string, n int) []routing.Route {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	seen := make(map[string]bool, n)
	routes := make([]routing.Route, 0, n)
	for len(routes) < n {
		var b strings.Builder
		if r.IntN(3) > 0 {
			b.WriteString("/api")
		}
		team := pick(r, teams)
		fmt.Fprintf(&b, "/%s/v%d/%s", team, 1+r.IntN(3), pick(r, resources))
		if r.IntN(4) > 0 {
			fmt.Fprintf(&b, "/%s", pick(r, resources))
		}
		if r.IntN(2) > 0 {
			fmt.Fprintf(&b, "/%s-%s", team, pick(r, resources))
		}
		if path := b.String(); !seen[path] {
			seen[path] = true
			route := routing.Route{Host: host, Path: path, Type: routing.Prefix, Backend: int32(len(routes))}
			if r.IntN(10) == 0 {
				route.Type = routing.Exact
			}
			routes = append(routes, route)
		}
	}
	return routes
}

// ManyHosts returns n Routes of n hosts: one tenth wildcards, two thirds of them Prefix "/", the
// others one service's path.
func ManyHosts(n int) []routing.Route {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	seen := make(map[string]bool, n)
	routes := make([]routing.Route, 0, n)
	for len(routes) < n {
		host := fmt.Sprintf("%s-%s-%d.%s", pick(r, teams), pick(r, resources), r.IntN(n/100+10), pick(r, domains))
		if r.IntN(10) == 0 {
			host = "*." + host
		}
		if seen[host] {
			continue
		}
		seen[host] = true
		route := routing.Route{Host: host, Path: "/", Type: routing.Prefix, Backend: int32(len(routes))}
		if r.IntN(3) == 0 {
			route.Path = fmt.Sprintf("/%s/v%d", pick(r, teams), 1+r.IntN(3))
		}
		routes = append(routes, route)
	}
	return routes
}

// Hits returns n requests that the Routes serve, each for one of them at random: for a Prefix most
// with a segment or two behind it, for a wildcard host with a label before it.
func Hits(routes []routing.Route, n int) []Request {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	requests := make([]Request, n)
	p := packer{make([]byte, 0, 1<<20)}
	for i := range requests {
		route := &routes[r.IntN(len(routes))]
		path := route.Path
		if route.Type != routing.Exact && r.IntN(4) > 0 {
			path = fmt.Sprintf("%s/%d", strings.TrimSuffix(path, "/"), r.IntN(1e6))
		}
		requests[i] = Request{p.pack(strings.Replace(route.Host, "*", "www", 1)), p.pack(path)}
	}
	return requests
}

// Misses returns n requests that no Route serves but that go wrong late: an unknown host, or a path
// that leaves those of the Routes at the last byte of its version.
func Misses(routes []routing.Route, n int) []Request {
	requests := Hits(routes, n)
	p := packer{make([]byte, 0, 1<<20)}
	for i := range requests {
		q := &requests[i]
		segments := strings.Split(string(q.Path), "/")
		version := slices.IndexFunc(segments, func(s string) bool { return len(s) == 2 && s[0] == 'v' })
		if version < 0 {
			q.Host = p.pack("no-such-" + string(q.Host) + "-either")
			continue
		}
		segments[version] = "v~"
		q.Path = p.pack(strings.Join(segments, "/"))
	}
	return requests
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// A packer puts requests side by side in memory, in the order in which they are made: a gateway has
// just read the bytes that it looks up, and a benchmark should not wait for them.
type packer struct{ free []byte }

func (p *packer) pack(s string) []byte {
	if cap(p.free)-len(p.free) < len(s) {
		p.free = make([]byte, 0, 1<<20)
	}
	at := len(p.free)
	p.free = append(p.free, s...)
	return p.free[at:len(p.free):len(p.free)]
}
