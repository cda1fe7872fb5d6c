package informer

import (
	"net/netip"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// A slot is one Backend over time, with a place in Snapshot.Backends that is its own. Entries hold references to slots. A
// slot that has no reference left when all Ingresses of a step are compiled is freed, and its index is given to another
// Backend in a later step: an index never passes from one Backend to another between two consecutive Snapshots, and a
// Backend that moves from one Ingress to another within a step keeps its index.

// target identifies a Backend's Endpoints.
type target struct {
	service routing.ObjectName
	// port is the name of the Service port, as slices spell it.
	port string
	// external is set instead for a Service of type ExternalName.
	external external
	// cluster is set where requests go to the address of the Service.
	cluster netip.AddrPort
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
	// how is as the last reference has it: the same for all but the content of a Secret.
	how  speech
	refs int
	// refused are the addresses that the screen kept out of the Backend.
	refused []netip.Addr
}

// backendSet owns the slots, and fills them from EndpointSlices and resolved names. A step is: apply, resolve and setOwn
// for events, acquire and release for the Ingresses that are compiled, then refresh. Owned by the builder's goroutine,
// but without the builder; list is shared with published Snapshots and is copied before its first change in a step.
type backendSet struct {
	slices sliceSet
	screen screen
	// manifests is true where slices are written by the gateway's operator.
	manifests bool
	byKey     map[routing.BackendKey]*slot
	byService map[routing.ObjectName][]*slot
	// externals holds the slots of each name, resolved the addresses of names that have any.
	externals map[external]map[*slot]struct{}
	resolved  map[external][]netip.AddrPort

	// list is by index, and published is true while a Snapshot has it. free are the indexes without a slot.
	list      []*routing.Backend
	published bool
	free      []int32

	// Touched by the current step: stale are the slots whose Endpoints must be gathered again, released those that
	// lost their last reference, and portsStale the Services of either.
	stale, released map[*slot]struct{}
	portsStale      map[routing.ObjectName]struct{}
	// screened are the Services whose refused addresses may differ after this step.
	screened map[routing.ObjectName]struct{}
}

func newBackendSet(cfg *Config) backendSet {
	return backendSet{
		slices:     newSliceSet(),
		screen:     newScreen(cfg),
		manifests:  cfg.Manifests != "",
		byKey:      make(map[routing.BackendKey]*slot),
		byService:  make(map[routing.ObjectName][]*slot),
		externals:  make(map[external]map[*slot]struct{}),
		resolved:   make(map[external][]netip.AddrPort),
		stale:      make(map[*slot]struct{}),
		released:   make(map[*slot]struct{}),
		portsStale: make(map[routing.ObjectName]struct{}),
		screened:   make(map[routing.ObjectName]struct{}),
	}
}

// apply stores the new state of an EndpointSlice, nil when it is gone, marks the Backends of its Service, before and now,
// and returns its Rejections.
func (s *backendSet) apply(name routing.ObjectName, next *discoveryv1.EndpointSlice) []Rejection {
	for _, slice := range [...]*discoveryv1.EndpointSlice{s.slices.put(name, next), next} {
		if slice == nil {
			continue
		}
		if service, ok := serviceOf(slice); ok {
			for _, sl := range s.byService[service] {
				s.stale[sl] = struct{}{}
			}
		}
	}
	return s.rejectSlice(next)
}

// setOwn notes the node's own addresses, and screens everything anew. It returns the Rejections of all slices, and false
// where the addresses are those known.
func (s *backendSet) setOwn(own []netip.Addr) (reports []report, changed bool) {
	if slices.Equal(own, s.screen.own) {
		return nil, false
	}
	s.screen.own = own
	for _, sl := range s.byKey {
		s.stale[sl] = struct{}{}
	}
	for name, slice := range s.slices.byName {
		reports = append(reports, report{subject{ofSlice, name}, s.rejectSlice(slice)})
	}
	return reports, true
}

// acquire takes a reference to the slot of key. The slot is made, or given another target or TLS, as needed. serverName is the
// name of the Service for its certificates. What is in the key's Variant never changes.
func (s *backendSet) acquire(key routing.BackendKey, t target, how speech, serverName string) *slot {
	sl := s.byKey[key]
	switch {
	case sl == nil:
		sl = &slot{target: t, tls: how.tls.named(serverName), backend: &routing.Backend{
			Key: key, Index: s.takeIndex(), Protocol: how.protocol, Balance: how.balance,
			ExternalName: t.external.name, ExternalPort: t.external.port, Resilience: how.resilience,
		}}
		sl.backend.TLS = sl.tls
		s.byKey[key] = sl
		s.byService[t.service] = append(s.byService[t.service], sl)
		s.addExternal(t.external, sl)
		s.put(sl.backend)
		s.stale[sl] = struct{}{}
	case sl.target != t:
		s.removeExternal(sl.target.external, sl)
		s.addExternal(t.external, sl)
		sl.target = t
		s.stale[sl] = struct{}{}
	}
	s.renew(sl, how, serverName)
	sl.refs++
	return sl
}

// renew notes how a Backend is spoken to now. No more than the content of a Secret may differ.
func (s *backendSet) renew(sl *slot, how speech, serverName string) {
	sl.how = how
	if tls := how.tls.named(serverName); !sl.tls.Equal(tls) {
		sl.tls = tls
		s.stale[sl] = struct{}{}
	}
}

// at returns the slot of an index, nil where there is none.
func (s *backendSet) at(index int32) *slot {
	if uint(index) >= uint(len(s.list)) || s.list[index] == nil {
		return nil
	}
	return s.byKey[s.list[index].Key]
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
		s.unshare()
		s.list[sl.backend.Index] = nil
		s.free = append(s.free, sl.backend.Index)
	}
	clear(s.released)
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

// refresh ends the step: it returns the list to publish, whether it differs from the former one, and the Rejections of
// the Services that the step touched.
func (s *backendSet) refresh() (list []*routing.Backend, changed bool, reports []report) {
	s.sweep()
	for sl := range s.stale {
		s.fill(sl)
	}
	clear(s.stale)
	for service := range s.screened {
		reports = append(reports, report{subject{ofAddresses, service}, s.rejectAddresses(service)})
	}
	clear(s.screened)
	for service := range s.portsStale {
		reports = append(reports, report{subject{ofPorts, service}, s.rejectPorts(service)})
	}
	clear(s.portsStale)
	// Not before the sweep: a name that one Backend leaves and another takes up is still watched.
	for e := range s.resolved {
		if s.externals[e] == nil {
			delete(s.resolved, e)
		}
	}
	changed = !s.published
	s.published = true
	return s.list, changed, reports
}

// fill gathers the Endpoints of a slot, and replaces its Backend where that differs.
func (s *backendSet) fill(sl *slot) {
	s.portsStale[sl.target.service] = struct{}{}
	next := *sl.backend
	next.TLS = sl.tls
	next.ExternalName, next.ExternalPort = sl.target.external.name, sl.target.external.port
	if sl.target.cluster.IsValid() {
		next.Endpoints, next.Twins = []routing.Endpoint{{Addr: sl.target.cluster}}, nil
	} else if next.ExternalName == "" {
		next.Endpoints, next.Twins = endpointsOf(s.slices.of[sl.target.service], sl.target.port)
	} else {
		next.Endpoints, next.Twins = resolvedEndpoints(s.resolved[sl.target.external]), nil
	}
	refused := sl.refused
	if next.Endpoints, next.Twins, sl.refused = s.screen.keep(next.Endpoints, next.Twins); len(refused)+len(sl.refused) > 0 {
		s.screened[sl.target.service] = struct{}{}
	}
	if slices.Equal(next.Endpoints, sl.backend.Endpoints) && slices.Equal(next.Twins, sl.backend.Twins) &&
		next.TLS.Equal(sl.backend.TLS) && next.ExternalName == sl.backend.ExternalName && next.ExternalPort == sl.backend.ExternalPort {
		return
	}
	sl.backend = &next
	s.put(sl.backend)
}

// resolvedEndpoints are the Endpoints of a name.
func resolvedEndpoints(addrs []netip.AddrPort) []routing.Endpoint {
	list := make([]routing.Endpoint, 0, len(addrs))
	for _, addr := range addrs {
		list = append(list, routing.Endpoint{Addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())})
	}
	return sortEndpoints(list)
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
	s.unshare()
	s.list = append(s.list, nil)
	return int32(len(s.list) - 1)
}

func (s *backendSet) put(b *routing.Backend) {
	s.unshare()
	s.list[b.Index] = b
}

// unshare copies the list when a published Snapshot has it.
func (s *backendSet) unshare() {
	if s.published {
		s.list, s.published = slices.Clone(s.list), false
	}
}
