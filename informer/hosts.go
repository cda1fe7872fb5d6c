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
	// slash has the Policies of the Routes that redirect to a path with a slash at its end.
	slash map[policy.Slash]*policy.Policy

	byName map[string][]*entry // sorted by age
	// claimed has the entries by the names that they want beside their hosts, sorted by age.
	claimed map[string][]*entry
	// below has the exact names in byName and claimed, to which wildcards matter: what they say of owners and of TLS. secure
	// has what the wildcards said of TLS when they were built.
	below  wildcard.Family
	secure map[string]section
	// https has the Policies of objects that ask for nothing but HTTPS: one for all of them.
	https     map[policy.HTTPS]*policy.Policy
	fallbacks []*entry // those with a fallback, sorted by age
	canaries  canarySet
}

func newHostSet(cfg *Config, attach func(*routing.Route)) hostSet {
	return hostSet{
		routes:    routing.Builder{Attach: attach},
		exclusive: cfg.HostOwnership == OwnershipNamespace,
		slash:     make(map[policy.Slash]*policy.Policy),
		byName:    make(map[string][]*entry),
		claimed:   make(map[string][]*entry),
		below:     make(wildcard.Family),
		secure:    make(map[string]section),
		https:     make(map[policy.HTTPS]*policy.Policy),
		canaries:  newCanarySet(),
	}
}

// replace replaces the entry of an Ingress by its next one, either of which may be nil. It reports whether the Hosts that
// the two name are touched: those of an entry that makes the same Routes can stay.
func (s *hostSet) replace(old, next *entry) (touched bool) {
	if old != nil && next != nil && old.same(next) {
		for _, h := range next.hosts {
			swapEntry(s.byName[h.name], next)
		}
		for _, name := range next.sentTo.names() {
			swapEntry(s.claimed[name], next)
		}
		if next.fallback != nil {
			swapEntry(s.fallbacks, next)
		}
		s.canaries.swap(next)
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
		s.drop(s.byName, h.name, e)
	}
	for _, name := range e.sentTo.names() {
		s.drop(s.claimed, name, e)
	}
	if e.fallback != nil {
		s.fallbacks = removeEntry(s.fallbacks, e)
	}
	s.canaries.unlink(e)
}

// drop takes e out of what one of the maps has for a name.
func (s *hostSet) drop(of map[string][]*entry, name string, e *entry) {
	if list := removeEntry(of[name], e); len(list) > 0 {
		of[name] = list
		return
	}
	delete(of, name)
	if len(s.byName[name])+len(s.claimed[name]) == 0 {
		s.below.Remove(name)
	}
}

func (s *hostSet) link(e *entry) {
	if e == nil {
		return
	}
	for _, h := range e.hosts {
		s.byName[h.name] = insertEntry(s.byName[h.name], e)
		s.below.Add(h.name)
	}
	for _, name := range e.sentTo.names() {
		s.claimed[name] = insertEntry(s.claimed[name], e)
		s.below.Add(name)
	}
	if e.fallback != nil {
		s.fallbacks = insertEntry(s.fallbacks, e)
	}
	s.canaries.link(e)
}

// buildHost makes the Host of all entries that name it, or nil when none does.
func (s *hostSet) buildHost(name string) (*routing.Host, []Rejection) {
	s.note(name)
	of := name
	entries, left := s.admitted(name)
	if len(s.byName[name]) == 0 {
		var by *entry
		if by, of, left = s.claimant(name); by != nil && of == "" {
			host, _ := s.routes.BuildHost(name, []routing.Route{by.wwwRoute(name)})
			return host, append(left, s.refuseCanaries(name)...)
		} else if by != nil {
			entries, _ = s.admitted(of)
		}
	} else {
		left = append(left, s.refuseClaims(name)...)
	}
	left = append(left, s.refuseCanaries(name)...)
	if len(entries) == 0 {
		return nil, left
	}
	routes, tls, rejections := s.joinHost(name, of, entries)
	s.lendSplits(of, entries, routes)
	if of != name {
		rejections = nil // they were given for the host itself
	}
	rejections = append(rejections, left...)
	host, list := s.joinPaths(name, of, entries, routes, tls)
	if of != name {
		list = nil
	}
	if tls != nil {
		host = host.WithTLS(tls)
	}
	return host, append(list, rejections...)
}

// buildFallback makes the Route for what no Host matches, or nil.
func (s *hostSet) buildFallback() (*routing.Route, []Rejection) {
	routes := make([]routing.Route, len(s.fallbacks))
	lent := make(map[lentKey]*routing.Source)
	for i, e := range s.fallbacks {
		routes[i] = *e.fallback
		if e.sentTo.forced {
			source := *e.source
			source.Policy = s.withHTTPS(e)
			routes[i].Source = &source
		}
		if e.clientAuth != nil {
			// A default Route has no host on which to ask for client certificates.
			routes[i].Backend = unresolved
		}
		s.lendSplit(lent, elsewhereHost, e, &routes[i], "")
	}
	fallback, conflicts := s.routes.BuildDefault(routes)
	return fallback, append(conflictRejections(conflicts), s.refuseCanaries(elsewhereHost)...)
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
