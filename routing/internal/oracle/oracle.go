package oracle

import (
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// Match returns the position in routes of the one that serves a request for a normalised host and
// path, or -1 where the default backend does. Routes name their hosts in any case.
func Match(routes []routing.Route, host, path string) int {
	// "Incoming requests are matched against the host before the IngressRuleValue."
	name, ok := bestHost(routes, host)
	if !ok {
		return -1
	}
	best := -1
	for i, r := range routes {
		if strings.ToLower(r.Host) != name || !pathMatches(r, path) {
			continue
		}
		if best < 0 || better(r, routes[best]) {
			best = i
		}
	}
	// No less specific host is asked: "If none of the hosts or paths match the HTTP request in the
	// Ingress objects, the traffic is routed to your default backend."
	return best
}

// bestHost returns the most specific configured name that covers host.
func bestHost(routes []routing.Route, host string) (name string, ok bool) {
	found := map[string]bool{}
	for _, r := range routes {
		found[strings.ToLower(r.Host)] = true
	}
	// "If Host is precise, the request matches this rule if the http host header is equal to Host."
	if host != "" && !strings.HasPrefix(host, "*.") && found[host] {
		return host, true
	}
	// "The HTTP host header must match the first label completely. The wildcard character '*' must
	// appear by itself as the first DNS label and matches only a single label."
	for name := range found {
		if suffix, wild := strings.CutPrefix(name, "*."); wild {
			label, rest, dotted := strings.Cut(host, ".")
			if dotted && label != "" && rest == suffix {
				return name, true
			}
		}
	}
	// "If the host is unspecified, the Ingress routes all traffic."
	return "", found[""]
}

// pathMatches reports whether r alone would serve path.
func pathMatches(r routing.Route, path string) bool {
	if r.Default {
		r = routing.Route{Path: "/", Type: routing.Prefix}
	}
	// "Exact: Matches the URL path exactly and with case sensitivity."
	if r.Type == routing.Exact {
		return r.Path == path
	}
	// "Prefix: Matches based on a URL path prefix split by /. Matching is case sensitive and done on
	// a path element by element basis. A request is a match for path p if every p is an element-wise
	// prefix of p of the request path." A trailing slash of either is ignored. The root has one
	// element, the empty one before the first slash, and so has every path.
	want, have := elements(r.Path), strings.Split(path, "/")
	if len(want) > len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] {
			return false
		}
	}
	return true
}

// elements splits the path of a Prefix Route, without its trailing slashes.
func elements(path string) []string { return strings.Split(strings.TrimRight(path, "/"), "/") }

// better reports whether a is preferred over b, where both match.
func better(a, b routing.Route) bool {
	// "If two paths are still equally matched, precedence will be given to paths with an exact path
	// type over prefix path type." One that is exact is as long as the request, so none is longer.
	if exactA, exactB := a.Type == routing.Exact && !a.Default, b.Type == routing.Exact && !b.Default; exactA != exactB {
		return exactA
	}
	// A default backend serves what no path does.
	if a.Default != b.Default {
		return b.Default
	}
	// "Precedence will be given first to the longest matching path."
	if !a.Default && a.Type != routing.Exact {
		if la, lb := len(elements(a.Path)), len(elements(b.Path)); la != lb {
			return la > lb
		}
	}
	// Ours: the older object, then the smaller name. Within one object the text above goes on: "/a/" is
	// longer than "/a" and matches "/a" too. Then ours again: the first in the list.
	switch {
	case a.Source == b.Source:
		return !a.Default && len(a.Path) > len(b.Path)
	case a.Source == nil:
		return false
	case b.Source == nil:
		return true
	case a.Source.Created != b.Source.Created:
		return a.Source.Created < b.Source.Created
	}
	// Of objects taken over from ingress-nginx the larger name, and the others come before these.
	if a.Source.LastName != b.Source.LastName {
		return b.Source.LastName
	}
	return (a.Source.Ingress.String() < b.Source.Ingress.String()) != a.Source.LastName
}
