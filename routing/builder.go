package routing

import (
	"cmp"
	"slices"
	"strings"
)

// Builder makes Hosts. The zero value is ready. Used by one goroutine at a time, unless Attach may
// be called concurrently.
type Builder struct {
	// Attach, if set, is called once for each new Route, at its final address and before its Host is
	// returned; it may set Route.Attachment and must change nothing else.
	Attach func(*Route)
}

// BuildHost makes the Host of the given name (lower-cased; "*.example.com" for a wildcard, "" for
// the catch-all) from its Routes, whose Host field is set and otherwise ignored. routes is copied.
//
// Of Routes that would match the same requests, those with equal paths after the trailing slash of a
// Prefix is dropped, and both Exact or both not, one is kept and the others are Conflicts (see
// Conflict for the precedence). An object that repeats its own Route with the same Backend loses
// nothing, and there is no Conflict.
// and there is no Conflict.
//
// A Route with Default set stands for its object's default backend on this Host: it is taken as
// Prefix "/", and gives way to a Prefix "/" written as a rule.
//
// A Host without Routes answers nothing: its requests go to the default Route.
func (b *Builder) BuildHost(name string, routes []Route) (*Host, []Conflict) {
	name = strings.ToLower(name)
	candidates := make([]candidate, len(routes))
	for i := range routes {
		candidates[i] = candidate{routes[i].keyed(), &routes[i]}
	}
	slices.SortStableFunc(candidates, candidate.compare)

	var conflicts []Conflict
	keys := make([]keyed, 0, len(candidates))
	kept := candidates[:0]
	for _, c := range candidates {
		if n := len(kept); n > 0 && kept[n-1].keyed == c.keyed {
			if conflict, ok := newConflict(name, kept[n-1].route, c.route); ok {
				conflicts = append(conflicts, conflict)
			}
			continue
		}
		kept = append(kept, c)
		keys = append(keys, c.keyed)
	}

	h := newHost(name, keys)
	h.routes = make([]Route, len(kept))
	for i, c := range kept {
		h.routes[i] = *c.route
		h.routes[i].Host = h.Name()
		b.attach(&h.routes[i])
	}
	return h, conflicts
}

// BuildDefault picks the default Route among the candidates of all objects, by the rule for
// conflicts. It returns nil where there is none. routes is copied.
func (b *Builder) BuildDefault(routes []Route) (*Route, []Conflict) {
	if len(routes) == 0 {
		return nil, nil
	}
	candidates := make([]candidate, len(routes))
	for i, r := range routes {
		r.Default = true
		candidates[i] = candidate{route: &r}
	}
	slices.SortStableFunc(candidates, candidate.compare)
	winner := candidates[0].route
	var conflicts []Conflict
	for _, c := range candidates[1:] {
		if conflict, ok := newConflict("", winner, c.route); ok {
			conflicts = append(conflicts, conflict)
		}
	}
	b.attach(winner)
	return winner, conflicts
}

// attach completes a Route that is about to be published.
func (b *Builder) attach(r *Route) {
	r.secured = r.Source != nil && r.Source.TLS != nil
	if b.Attach != nil {
		b.Attach(r)
	}
}

// newHost makes a Host without its Routes from their sorted keys.
func newHost(name string, keys []keyed) *Host {
	h := &Host{keyEnd: uint32(len(name))}
	if kindOf(name) == wildcardHost {
		h.keyAt = uint32(len(name) - len(wildcardKey(name)))
	}
	if !fitsRecords(keys) {
		h.text = strings.Clone(name)
		h.trie = newTrie(keys)
		h.trie.shortcut = newShortcut(keys)
		return h
	}
	size := len(name)
	for _, k := range keys {
		size += recordHead + len(k.key)
	}
	h.text = string(appendRecords(append(make([]byte, 0, size), name...), keys))
	return h
}

func fitsRecords(keys []keyed) bool {
	return len(keys) <= maxRecords &&
		!slices.ContainsFunc(keys, func(k keyed) bool { return len(k.key) > maxRecordKey })
}

// A candidate is a Route that competes for a key.
type candidate struct {
	keyed
	route *Route
}

// compare sorts by key, then Exact before Prefix, then the winner of a conflict first: a written path before a
// default backend, then the older object, then, within one object, the longer path. Of "/foo" and "/foo/", both
// Prefix, which match the same requests, "/foo/" is the longer: the Ingress API gives precedence to the longest
// matching path. Between objects length must not count, or a slash would take a path over.
func (a candidate) compare(b candidate) int {
	if c := strings.Compare(a.key, b.key); c != 0 {
		return c
	}
	if a.exact != b.exact {
		if a.exact {
			return -1
		}
		return 1
	}
	if a.route.Default != b.route.Default {
		if b.route.Default {
			return -1
		}
		return 1
	}
	return cmp.Or(a.route.Source.Compare(b.route.Source), cmp.Compare(len(b.route.Path), len(a.route.Path)))
}
