package informer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// joint is what all objects have for one host, in the order of their age, on its way to become the Host.
//
// In ingress-nginx one object with use-regex, or with a rewrite, turns every path of its hosts into a regular expression. So
// it does here on hosts whose oldest object was taken over from there. Elsewhere the paths of a host belong to the namespace
// that has the host (see hostSet.owner), and an object of another namespace changes nothing about them.
type joint struct {
	name       string // of the host, whatever the Host is called
	entries    []*entry
	places     []place
	rejections []Rejection
}

// place is one Route, and where it is from.
type place struct {
	route   *routing.Route
	written writtenPath
	entry   *entry
}

// joinPaths makes the Host called name, which is the host of or an alias of it, of the routes that joinHost gives for entries.
func (s *hostSet) joinPaths(name, of string, entries []*entry, routes []routing.Route, tls *routing.HostTLS) (*routing.Host, []Rejection) {
	root, list := appRoot(of, entries, tls)
	rest := s.unmatched(name, of, entries, routes, tls)
	if slices.ContainsFunc(entries, func(e *entry) bool { return e.regular.asked || e.controller == NginxController }) {
		j := newJoint(of, entries, routes)
		if rest != nil {
			j.places = append(j.places, place{rest, writtenPath{field: "spec.rules", text: "/"}, entries[0]})
		}
		if j.regular() {
			return j.expressions(&s.routes, name, root, tls), append(j.rejections, list...)
		}
		j.close()
		routes = j.paths(s.slashed)
		list = append(j.rejections, list...)
	} else if rest != nil {
		routes = append(routes, *rest)
	}
	routes, taken := rooted(of, routes, root)
	host, conflicts := s.routes.BuildHost(name, routes)
	return host, slices.Concat(conflictRejections(conflicts), list, taken)
}

// slashed returns the Policy of the Routes that redirect to a path with a slash at its end: one for all of them.
func (s *hostSet) slashed(slash policy.Slash) *policy.Policy {
	shared := s.slash[slash]
	if shared == nil {
		shared = &policy.Policy{Filters: []policy.Filter{&slash}}
		s.slash[slash] = shared
	}
	return shared
}

// newJoint has routes as joinHost gives them: those of each entry in turn.
func newJoint(name string, entries []*entry, routes []routing.Route) *joint {
	j := &joint{name: name, entries: entries, places: make([]place, 0, len(routes)+1)}
	for _, e := range entries {
		for _, w := range e.onHost(name).written {
			j.places = append(j.places, place{&routes[len(j.places)], w, e})
		}
	}
	return j
}

func (j *joint) reject(p place, value, reason string) {
	j.rejections = append(j.rejections, rejectIngress(p.entry.name(), p.written.field, value, reason))
}

// decides reports whether an object may turn the paths of the host into expressions.
func (j *joint) decides(e *entry) bool {
	oldest := j.entries[0]
	return oldest.controller == NginxController || e.namespace() == oldest.namespace()
}

// close closes the Routes of objects that want expressions and may not have them: their paths mean something else than they
// were written for.
func (j *joint) close() {
	var last *entry
	for _, p := range j.places {
		if !p.entry.regular.asks(p.written.text) || p.route.Default || j.decides(p.entry) {
			continue
		}
		p.route.Backend = unresolved
		if p.entry != last {
			last = p.entry
			j.rejections = append(j.rejections, rejectIngress(p.entry.name(), "spec.rules", j.name,
				"this object wants paths to be regular expressions, which holds for a whole host, and this one belongs to another namespace; the paths of this object answer 503 there"))
		}
	}
}

// regular reports whether the paths are expressions.
func (j *joint) regular() bool {
	if !slices.ContainsFunc(j.entries, func(e *entry) bool { return e.regular.asked || e.regular.target != "" }) {
		return false
	}
	return slices.ContainsFunc(j.served(), func(p place) bool {
		return !p.route.Default && p.entry.regular.asks(p.written.text) && j.decides(p.entry)
	})
}

// served has the first of those with the same path, Exact or not: the others are not served in either way.
func (j *joint) served() []place {
	type key struct {
		text           string
		exact, written bool
	}
	seen := make(map[key]struct{}, len(j.places))
	list := make([]place, 0, len(j.places))
	for _, p := range j.places {
		k := key{p.written.text, p.route.Type == routing.Exact, !p.route.Default}
		if _, lost := seen[k]; !lost {
			seen[k] = struct{}{}
			list = append(list, p)
		}
	}
	return list
}

// paths returns the Routes of a host without expressions. Where a path of an object that was taken over ends with a slash, and
// nothing else has the path without, that is redirected, as in ingress-nginx.
func (j *joint) paths(policyOf func(policy.Slash) *policy.Policy) []routing.Route {
	routes := make([]routing.Route, 0, len(j.places))
	slashed := false
	for _, p := range j.places {
		if p.written.fault != "" {
			j.reject(p, p.written.value, p.written.fault)
			continue
		}
		routes = append(routes, *p.route)
		slashed = slashed || p.slashed()
	}
	if !slashed {
		return routes
	}
	taken := make(map[string]bool, len(routes))
	for i := range routes {
		taken[routes[i].Path] = true // with a slash behind it where it has one, so that it takes none without
	}
	for _, p := range j.places {
		bare := strings.TrimRight(p.route.Path, "/")
		if p.written.fault != "" || !p.slashed() || bare == "" || taken[bare] {
			continue
		}
		taken[bare] = true
		source := *p.route.Source
		source.Split = nil
		source.Policy = policyOf(p.entry.sentTo.slash)
		r := *p.route
		r.Path, r.Type, r.Source = bare, routing.Exact, &source
		routes = append(routes, r)
	}
	return routes
}

// slashed reports whether the path is one of ingress-nginx that ends with a slash.
func (p place) slashed() bool {
	return !p.route.Default && p.entry.controller == NginxController && len(p.route.Path) > 1 && strings.HasSuffix(p.route.Path, "/")
}

// expressions makes the Host of paths that are expressions: the longest text first, then the one that sorts last, then the oldest
// object's. What may not decide about the host comes behind all that may: it adds paths, and takes none. A path that cannot
// be read answers 503, with all that it could have matched. root, which may be nil, comes before all of them, because what
// app-root sends elsewhere is never looked for among the paths.
func (j *joint) expressions(b *routing.Builder, name string, root *routing.Route, tls *routing.HostTLS) *routing.Host {
	served := j.served()
	j.conflicts(served)
	exact := make(map[string]bool)
	for _, p := range served {
		if p.route.Type == routing.Exact {
			exact[p.written.text] = true
		}
	}
	slices.SortStableFunc(served, func(a, b place) int {
		if a.route.Default != b.route.Default {
			if b.route.Default {
				return -1
			}
			return 1
		}
		if own := j.decides(a.entry); own != j.decides(b.entry) {
			if own {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(b.written.text), len(a.written.text)), strings.Compare(b.written.text, a.written.text))
	})
	list := make([]routing.Expression, len(served), len(served)+1)
	for i, p := range served {
		list[i] = routing.Expression{Route: *p.route, Pattern: j.pattern(p, exact[p.written.text])}
		if list[i].Pattern == nil {
			continue
		}
		list[i].Route.Path = p.written.text
		if _, err := p.entry.regular.pattern(p.written.text); err != nil {
			list[i].Route.Backend = unresolved
			j.reject(p, p.written.text, err.Error()+"; requests that it could have matched answer 503")
		}
	}
	if root != nil {
		first := routing.Expression{Route: *root, Pattern: onlyRoot}
		first.Route.Path = rootText
		list = slices.Insert(list, 0, first)
	}
	oldest := j.entries[0]
	return b.BuildExpressions(name, list, routing.Route{
		Anonymous: oldest.controller == NginxController,
		Source:    &routing.Source{Ingress: oldest.name(), Created: oldest.source.Created, TLS: tls},
	})
}

// onlyRoot matches the path / and no other.
const rootText = "/$"

var onlyRoot, _ = expression.ParsePattern(rootText)

// pattern returns what a Route is matched by, nil for a default backend. In ingress-nginx a Prefix beside an Exact of the same
// path ends with a slash.
func (j *joint) pattern(p place, exact bool) *expression.Pattern {
	text := p.written.text
	switch {
	case p.route.Default:
		return nil
	case exact && p.route.Type != routing.Exact && !strings.HasSuffix(text, "/"):
		text += "/"
	}
	pattern, _ := p.entry.regular.pattern(text)
	return pattern
}

// conflicts rejects what is not among those served.
func (j *joint) conflicts(served []place) {
	type key struct {
		text           string
		exact, written bool
	}
	winners := make(map[key]place, len(served))
	keyOf := func(p place) key { return key{p.written.text, p.route.Type == routing.Exact, !p.route.Default} }
	for _, p := range served {
		winners[keyOf(p)] = p
	}
	for _, p := range j.places {
		w := winners[keyOf(p)]
		if w.route == p.route || w.entry == p.entry && w.route.Backend == p.route.Backend {
			continue
		}
		j.rejections = append(j.rejections, conflictRejections([]routing.Conflict{{
			Host: j.name, Path: p.written.text, Type: p.route.Type, WinnerPath: w.written.text, WinnerType: w.route.Type,
			Winner: w.entry.source, Loser: p.entry.source, Default: p.route.Default,
		}})...)
	}
}
