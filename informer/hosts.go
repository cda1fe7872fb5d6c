package informer

import (
	"slices"

	"github.com/sluice-gateway/sluice/informer/internal/wildcard"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// hostSet holds the entries by the Hosts that they name, and makes the Hosts. Owned by the builder's goroutine, but
// without the builder.
type hostSet struct {
	routes    routing.Builder
	exclusive bool // see hostSet.owner
	// slash is the Policy of the Routes that redirect to a path with a slash at its end.
	slash *policy.Policy

	byName map[string][]*entry // sorted by age
	// below has the exact names in byName where the owner of a wildcard matters to them.
	below     wildcard.Family
	fallbacks []*entry // those with a fallback, sorted by age
}

func newHostSet(cfg *Config, attach func(*routing.Route)) hostSet {
	return hostSet{
		routes:    routing.Builder{Attach: attach},
		exclusive: cfg.HostOwnership == OwnershipNamespace,
		slash:     &policy.Policy{Filters: []policy.Filter{&policy.Slash{}}},
		byName:    make(map[string][]*entry),
		below:     make(wildcard.Family),
	}
}

// replace replaces the entry of an Ingress by its next one, either of which may be nil. It reports whether the Hosts that
// the two name are touched: those of an entry that makes the same Routes can stay.
func (s *hostSet) replace(old, next *entry) (touched bool) {
	if old != nil && next != nil && old.same(next) {
		for _, h := range next.hosts {
			swapEntry(s.byName[h.name], next)
		}
		if next.fallback != nil {
			swapEntry(s.fallbacks, next)
		}
		return false
	}
	s.unlink(old)
	s.link(next)
	return true
}

func (s *hostSet) unlink(e *entry) {
	if e == nil {
		return
	}
	for _, h := range e.hosts {
		if list := removeEntry(s.byName[h.name], e); len(list) > 0 {
			s.byName[h.name] = list
		} else {
			delete(s.byName, h.name)
			s.below.Remove(h.name)
		}
	}
	if e.fallback != nil {
		s.fallbacks = removeEntry(s.fallbacks, e)
	}
}

func (s *hostSet) link(e *entry) {
	if e == nil {
		return
	}
	for _, h := range e.hosts {
		s.byName[h.name] = insertEntry(s.byName[h.name], e)
		if s.exclusive {
			s.below.Add(h.name)
		}
	}
	if e.fallback != nil {
		s.fallbacks = insertEntry(s.fallbacks, e)
	}
}

// buildHost makes the Host of all entries that name it, or nil when none does.
func (s *hostSet) buildHost(name string) (*routing.Host, []Rejection) {
	entries, left := s.admitted(name)
	if len(entries) == 0 {
		return nil, left
	}
	routes, tls, rejections := joinHost(name, entries)
	rejections = append(rejections, left...)
	host, list := s.joinPaths(name, entries, routes, tls)
	if tls != nil {
		host = host.WithTLS(tls)
	}
	return host, append(list, rejections...)
}

// buildFallback makes the Route for what no Host matches, or nil.
func (s *hostSet) buildFallback() (*routing.Route, []Rejection) {
	routes := make([]routing.Route, len(s.fallbacks))
	for i, e := range s.fallbacks {
		routes[i] = *e.fallback
		if e.clientAuth != nil {
			// A default Route has no host on which to ask for client certificates.
			routes[i].Backend = unresolved
		}
	}
	fallback, conflicts := s.routes.BuildDefault(routes)
	return fallback, conflictRejections(conflicts)
}

func insertEntry(list []*entry, e *entry) []*entry {
	i, _ := slices.BinarySearchFunc(list, e, (*entry).compare)
	return slices.Insert(list, i, e)
}

// swapEntry and removeEntry find e by its age and name, which are unique.

func swapEntry(list []*entry, e *entry) {
	if i, ok := slices.BinarySearchFunc(list, e, (*entry).compare); ok {
		list[i] = e
	}
}

func removeEntry(list []*entry, e *entry) []*entry {
	if i, ok := slices.BinarySearchFunc(list, e, (*entry).compare); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}
