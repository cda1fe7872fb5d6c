package routing

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Explanation tells people how a Table came to its answer. Made by Explain; the answer itself is
// the one Match gives.
type Explanation struct {
	// Request is the normalised host and path that was asked for.
	RequestHost, RequestPath string
	// Host answered, or nil where none covers the request's.
	Host *Host
	// HostReason is a clause such as "exact name" or why there is none.
	HostReason string
	// Candidates are the Routes of Host that were near: those whose path matches or shares at least
	// the first segment, in the order of Host.Routes: the first maxCandidates of them, and the answer.
	Candidates []Candidate
	// Omitted counts candidates beyond that bound.
	Omitted int
	// Route is the answer; nil means 404.
	Route *Route
	// RouteReason is why this Route and no other.
	RouteReason string
}

// Candidate is one Route that was considered.
type Candidate struct {
	Route *Route
	// Matches is true when the Route would serve the request if there were no better one.
	Matches bool
	// Reason is why the Route matches, or does not.
	Reason string
}

// maxCandidates bounds an Explanation; a host may have 100,000 paths under one segment.
const maxCandidates = 64

// Explain returns the Route that Match gives for a normalised host and path, and why. Not for the
// request path.
func (t *Table) Explain(host, path []byte) Explanation {
	e := Explanation{RequestHost: string(host), RequestPath: string(path), Route: t.Match(host, path)}
	if t != nil {
		e.Host = t.lookup(host)
	}
	if e.Host == nil {
		e.HostReason = "no exact name, no wildcard one label above, and no catch-all"
		e.RouteReason = e.fallback("no host answers")
		return e
	}
	switch kindOf(e.Host.Name()) {
	case exactHost:
		e.HostReason = "exact name; wildcards and the catch-all are not asked"
	case wildcardHost:
		e.HostReason = "wildcard for one label, as no host has the exact name"
	case catchAllHost:
		e.HostReason = "catch-all, as no host has the exact name and no wildcard covers it"
	}
	regular := e.Host.expressions()
	for i := range e.Host.routes {
		r := &e.Host.routes[i]
		c := Candidate{Route: r}
		if regular != nil {
			if c.Matches = regular.matches(i, path); c.Matches {
				c.Reason = "the expression matches the beginning of the path"
			} else {
				c.Reason = "the expression does not match the beginning of the path"
			}
		} else {
			c = consider(r, path)
		}
		if !c.Matches && !sharesSegment(r, path) {
			continue
		}
		if len(e.Candidates) >= maxCandidates && r != e.Route {
			e.Omitted++
			continue
		}
		e.Candidates = append(e.Candidates, c)
	}
	switch {
	case e.Route == nil || e.Route == t.defaultTo:
		e.RouteReason = e.fallback("no path of the host matches, and only one host is asked")
	case e.Route.Default:
		e.RouteReason = "no path of the host matches, and this default backend belongs to it"
	case regular != nil && e.Route == &regular.overrun:
		e.RouteReason = "to match the path takes more work than one request may: 503"
	case regular != nil:
		e.RouteReason = "the first expression that matches, and the longest comes first"
	case e.Route.Type == Exact:
		e.RouteReason = "an exact path is always the longest"
	default:
		e.RouteReason = "the longest prefix that matches, and no exact path does"
	}
	return e
}

func (e *Explanation) fallback(why string) string {
	if e.Route == nil {
		return why + "; there is no default backend: 404"
	}
	return why + ": default backend"
}

// consider reports whether r alone would match path.
func consider(r *Route, path []byte) Candidate {
	c := Candidate{Route: r}
	key := r.key()
	switch under := strings.HasPrefix(string(path), key); {
	case r.keyed().exact:
		c.Matches = string(path) == key
		c.Reason = "not the same path"
		if c.Matches {
			c.Reason = "the same path"
		}
	case under && endsSegment(path, len(key)):
		c.Matches, c.Reason = true, "its segments start the path"
	case under:
		c.Reason = "it ends within a segment of the path"
	default:
		c.Reason = "its segments do not start the path"
	}
	return c
}

// sharesSegment reports whether r's path starts with the first segment of path.
func sharesSegment(r *Route, path []byte) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(string(path), "/"), "/")
	return first != "" && strings.HasPrefix(strings.TrimPrefix(r.Path, "/"), first)
}

// String is the explanation in lines.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "request  host %s path %s\n", policy.Word(e.RequestHost), policy.Word(e.RequestPath))
	if e.Host == nil {
		fmt.Fprintf(&b, "host     none: %s\n", e.HostReason)
	} else {
		fmt.Fprintf(&b, "host     %s: %s\n", displayHost(e.Host.Name()), e.HostReason)
	}
	for _, c := range e.Candidates {
		mark := ' '
		if c.Route == e.Route {
			mark = '*'
		}
		fmt.Fprintf(&b, "     %c   %s: %s\n", mark, c.Route.describe(), c.Reason)
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "         and %d more\n", e.Omitted)
	}
	if e.Route == nil {
		fmt.Fprintf(&b, "route    none: %s\n", e.RouteReason)
	} else {
		fmt.Fprintf(&b, "route    %s: %s\n", e.Route.describe(), e.RouteReason)
	}
	return b.String()
}
