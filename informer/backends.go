package informer

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/routing"
)

// A Backend's slot is its index in Snapshot.Backends. Ingresses hold references to slots. A slot that
// has no reference left when all Ingresses of a step are compiled is free, and is given to another
// Backend in a later step: an index never passes from one Backend to another between two consecutive
// Snapshots, and a Backend that moves from one Ingress to another within a step keeps its own.

// target identifies a Backend's Endpoints.
type target struct {
	service routing.ObjectName
	// port is the name of the Service port, as slices spell it.
	port string
	// external is set instead for a Service of type ExternalName.
	external external
}

// external is a name to resolve and the port to go with its addresses.
type external struct {
	name string
	port uint16
}

// slot is one Backend over time.
type slot struct {
	backend *routing.Backend
	target  target
	tls     *routing.BackendTLS
	refs    int
	// refused are the addresses that the screen kept out of the Backend.
	refused []netip.Addr
}

// backendSet owns the slots. Owned by the builder's goroutine; list is shared with published
// Snapshots and is copied before its first change in a step.
type backendSet struct {
	screen    screen
	byKey     map[routing.BackendKey]*slot
	byService map[routing.ObjectName][]*slot
	// externals holds the slots of each name, resolved the addresses of names that have any.
	externals map[external]map[*slot]struct{}
	resolved  map[external][]netip.AddrPort
	// In this step: stale are the slots whose Endpoints must be gathered again, released those that
	// lost their last reference, and portsStale the Services of either.
	stale, released map[*slot]struct{}
	portsStale      map[routing.ObjectName]struct{}
	// screened are the Services whose refused addresses may differ after this step.
	screened map[routing.ObjectName]struct{}

	list      []*routing.Backend
	published bool
	free      []int32
}

func newBackendSet(s screen) backendSet {
	return backendSet{
		screen:    s,
		screened:  make(map[routing.ObjectName]struct{}),
		byKey:     make(map[routing.BackendKey]*slot),
		byService: make(map[routing.ObjectName][]*slot),
		resolved:  make(map[external][]netip.AddrPort),
		externals: make(map[external]map[*slot]struct{}),
		stale:     make(map[*slot]struct{}),
		released:  make(map[*slot]struct{}),

		portsStale: make(map[routing.ObjectName]struct{}),
	}
}

// acquire takes a reference to the Backend of key, which it makes, or gives another target or TLS, as needed.
func (s *backendSet) acquire(key routing.BackendKey, t target, protocol routing.Protocol, balance routing.Balance, tls *routing.BackendTLS) *slot {
	sl := s.byKey[key]
	switch {
	case sl == nil:
		sl = &slot{target: t, tls: tls, backend: &routing.Backend{
			Key: key, Index: s.takeIndex(), Protocol: protocol, Balance: balance,
			ExternalName: t.external.name, ExternalPort: t.external.port, TLS: tls,
		}}
		s.byKey[key] = sl
		s.byService[t.service] = append(s.byService[t.service], sl)
		s.addExternal(t.external, sl)
		s.set(sl.backend)
		s.stale[sl] = struct{}{}
	case sl.target != t:
		s.removeExternal(sl.target.external, sl)
		s.addExternal(t.external, sl)
		sl.target = t
		s.stale[sl] = struct{}{}
	}
	if !sl.tls.Equal(tls) {
		sl.tls = tls
		s.stale[sl] = struct{}{}
	}
	sl.refs++
	return sl
}

// release gives a reference back.
func (s *backendSet) release(sl *slot) {
	if sl.refs--; sl.refs == 0 {
		s.released[sl] = struct{}{}
	}
}

// sweep frees the slots without references.
func (s *backendSet) sweep() {
	for sl := range s.released {
		if sl.refs > 0 {
			continue
		}
		delete(s.byKey, sl.backend.Key)
		delete(s.stale, sl)
		service := sl.target.service
		s.portsStale[service] = struct{}{}
		of := s.byService[service]
		if i := slices.Index(of, sl); i >= 0 {
			of = slices.Delete(of, i, i+1)
		}
		if len(of) == 0 {
			delete(s.byService, service)
		} else {
			s.byService[service] = of
		}
		if s.removeExternal(sl.target.external, sl); len(sl.refused) > 0 {
			s.screened[service] = struct{}{}
		}
		s.own()
		s.list[sl.backend.Index] = nil
		s.free = append(s.free, sl.backend.Index)
	}
	clear(s.released)
}

// serviceChanged marks the Backends of a Service whose slices changed.
func (s *backendSet) serviceChanged(service routing.ObjectName) {
	for _, sl := range s.byService[service] {
		s.stale[sl] = struct{}{}
	}
}

// resolve sets the addresses of a name, unless no slot uses it any more.
func (s *backendSet) resolve(e external, addrs []netip.AddrPort) {
	if s.externals[e] == nil {
		return
	}
	s.resolved[e] = addrs
	for sl := range s.externals[e] {
		s.stale[sl] = struct{}{}
	}
}

// refresh gathers the Endpoints of the stale slots, and replaces the Backends that differ.
func (s *backendSet) refresh(c *cache) {
	for sl := range s.stale {
		s.portsStale[sl.target.service] = struct{}{}
		next := *sl.backend
		next.TLS = sl.tls
		next.ExternalName, next.ExternalPort = sl.target.external.name, sl.target.external.port
		if sl.target.external.name == "" {
			next.Endpoints, next.Twins = endpointsOf(c.slicesOf[sl.target.service], sl.target.port)
		} else {
			next.Twins = nil
			next.Endpoints = make([]routing.Endpoint, 0, len(s.resolved[sl.target.external]))
			for _, addr := range s.resolved[sl.target.external] {
				addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
				next.Endpoints = append(next.Endpoints, routing.Endpoint{Addr: addr})
			}
			next.Endpoints = sortEndpoints(next.Endpoints)
		}
		refused := sl.refused
		if next.Endpoints, next.Twins, sl.refused = s.screen.keep(next.Endpoints, next.Twins); len(refused)+len(sl.refused) > 0 {
			s.screened[sl.target.service] = struct{}{}
		}
		if slices.Equal(next.Endpoints, sl.backend.Endpoints) && slices.Equal(next.Twins, sl.backend.Twins) &&
			next.TLS.Equal(sl.backend.TLS) && next.ExternalName == sl.backend.ExternalName && next.ExternalPort == sl.backend.ExternalPort {
			continue
		}
		sl.backend = &next
		s.set(sl.backend)
	}
	clear(s.stale)
}

// finish ends the step: it returns the list to publish, and whether it differs from the former one.
func (s *backendSet) finish() (list []*routing.Backend, changed bool) {
	// Not before the sweep: a name that one Backend leaves and another takes up is still watched.
	for e := range s.resolved {
		if s.externals[e] == nil {
			delete(s.resolved, e)
		}
	}
	changed = !s.published
	s.published = true
	return s.list, changed
}

func (s *backendSet) addExternal(e external, sl *slot) {
	if e.name == "" {
		return
	}
	if s.externals[e] == nil {
		s.externals[e] = make(map[*slot]struct{})
	}
	s.externals[e][sl] = struct{}{}
}

func (s *backendSet) removeExternal(e external, sl *slot) {
	delete(s.externals[e], sl)
	if len(s.externals[e]) == 0 {
		delete(s.externals, e)
	}
}

func (s *backendSet) takeIndex() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.own()
	s.list = append(s.list, nil)
	return int32(len(s.list) - 1)
}

func (s *backendSet) set(b *routing.Backend) {
	s.own()
	s.list[b.Index] = b
}

// own copies the list when a published Snapshot has it.
func (s *backendSet) own() {
	if s.published {
		s.list, s.published = slices.Clone(s.list), false
	}
}
