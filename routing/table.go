package routing

import (
	"bytes"
	"iter"
	"slices"
	"strings"
)

// Table finds the Route of a request. A nil *Table is empty: Match gives nil. Immutable, and safe
// for concurrent use; With makes the next one and shares every Host that did not change.
//
// Which Host answers: the exact name; else the wildcard that covers exactly one label more than its
// suffix ("*.x" covers "a.x", neither "x" nor "a.b.x"); else the catch-all, whose name is "". Only
// one Host is asked. When it has no path for the request the default Route answers, not a less
// specific Host: the Ingress API says that requests are matched against the host before the paths,
// and ingress-nginx does the same, whose chosen server block sends everything else to the default
// backend. Falling through would let the owner of "*.x" receive requests for "a.x" that a's owner
// has deliberately left unserved.
type Table struct {
	// exact is keyed by whole names, wild by what follows "*.".
	exact, wild hostIndex
	catchAll    *Host
	defaultTo   *Route
	routes      int
}

// Match returns the Route for a normalised host and path (NormalizeHost, NormalizePath), or the
// default Route, which is nil where none is configured. The Route is valid as long as the Snapshot
// that t belongs to. Retains neither argument.
//
// hot: runs per request; no alloc, no lock.
func (t *Table) Match(host, path []byte) *Route {
	if t == nil {
		return nil
	}
	if h := t.lookup(host); h != nil {
		if r := h.match(path); r != nil {
			return r
		}
	}
	return t.defaultTo
}

// lookup returns the one Host that answers for host, or nil.
//
// hot: runs per request; no alloc, no lock.
func (t *Table) lookup(host []byte) *Host {
	if h := t.exact.find(host); h != nil {
		return h
	}
	if t.wild.count != 0 {
		if i := bytes.IndexByte(host, '.'); i > 0 {
			if h := t.wild.find(host[i+1:]); h != nil {
				return h
			}
		}
	}
	return t.catchAll
}

// With returns the Table with the Hosts of t, except that each name in changed gets its new Host,
// or loses its Host where the new one is nil; defaultRoute is its default (nil: none). A key must
// be the name of its Host. t itself is unchanged and may be nil. The cost is a copy of the index
// (some 20 to 45 bytes a Host) and work in proportion to changed.
func (t *Table) With(changed map[string]*Host, defaultRoute *Route) *Table {
	next := &Table{}
	if t != nil {
		*next = *t
	}
	next.defaultTo = defaultRoute
	var exact, wild int
	for name := range changed {
		switch kindOf(name) {
		case exactHost:
			exact++
		case wildcardHost:
			wild++
		}
	}
	next.exact = next.exact.cloneFor(exact)
	next.wild = next.wild.cloneFor(wild)
	for name, h := range changed {
		if h != nil && h.Name() != name {
			panic("BUG: Host " + h.Name() + " given to Table.With as " + name)
		}
		var old *Host
		switch kindOf(name) {
		case exactHost:
			old = next.exact.replace(name, h)
		case wildcardHost:
			old = next.wild.replace(wildcardKey(name), h)
		case catchAllHost:
			old, next.catchAll = next.catchAll, h
		}
		next.routes += h.size() - old.size()
	}
	if invariants {
		if err := next.validate(); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	return next
}

// Default returns the Route that answers when no other matches, or nil.
func (t *Table) Default() *Route {
	if t == nil {
		return nil
	}
	return t.defaultTo
}

// Host returns the Host configured under exactly this name ("*.example.com", ""), or nil.
func (t *Table) Host(name string) *Host {
	if t == nil {
		return nil
	}
	switch kindOf(name) {
	case exactHost:
		return t.exact.find([]byte(name))
	case wildcardHost:
		return t.wild.find([]byte(wildcardKey(name)))
	}
	return t.catchAll
}

// Hosts yields every Host, sorted by name: the catch-all first, then wildcards, then exact names.
// It sorts at each call; not for the request path.
func (t *Table) Hosts() iter.Seq[*Host] {
	return func(yield func(*Host) bool) {
		if t == nil {
			return
		}
		hosts := make([]*Host, 0, t.exact.count+t.wild.count+1)
		hosts = t.exact.appendTo(hosts)
		hosts = t.wild.appendTo(hosts)
		if t.catchAll != nil {
			hosts = append(hosts, t.catchAll)
		}
		slices.SortFunc(hosts, func(a, b *Host) int { return strings.Compare(a.Name(), b.Name()) })
		for _, h := range hosts {
			if !yield(h) {
				return
			}
		}
	}
}

// Routes counts the Routes of all Hosts, and the default Route.
func (t *Table) Routes() int {
	if t == nil {
		return 0
	}
	if t.defaultTo != nil {
		return t.routes + 1
	}
	return t.routes
}
