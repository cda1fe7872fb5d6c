package upstream

import "github.com/sluice-gateway/sluice/routing"

// Reconciliation brings a Backend's state to a newer routing.Backend. Both lists of Endpoints are
// sorted by address, so it is one merge: equal addresses keep their state, new ones start neutral,
// and those that are no longer there leave.
//
// Which one is newer? A request may hold a Snapshot that is no longer live, for as long as it is
// parked or its body trickles in. Options.Live decides: the live one is adopted, and a request with
// an older one gets the state of the live Backend in its place. Where the Backend has left
// altogether, such a request gets a detached state that pools nothing.

// adopt is the slow part of Set.Backend.
func (s *Set) adopt(r *routing.Backend) *Backend {
	if s.options.Live != nil {
		if live := s.options.Live(); live != nil {
			i := int(r.Index)
			if i < 0 || i >= len(live.Backends) || live.Backends[i] == nil || live.Backends[i].Key != r.Key {
				return s.detached(r)
			}
			r = live.Backends[i]
		}
	}
	return s.replace(r)
}

// replace makes r the source of the Backend at its index, and returns that Backend.
func (s *Set) replace(r *routing.Backend) *Backend {
	for len(s.backends) <= int(r.Index) {
		s.backends = append(s.backends, nil)
	}
	b := s.backends[r.Index]
	switch {
	case b == nil:
	case b.source == r:
		return b
	case samePool(b.source, r):
		b.reconcile(r)
		return b
	default:
		b.leave()
	}
	b = s.newBackend(r)
	s.backends[r.Index] = b
	return b
}

// newBackend returns fresh state for r.
func (s *Set) newBackend(r *routing.Backend) *Backend {
	b := &Backend{set: s}
	b.reconcile(r)
	if n := len(b.usable); n > 0 {
		b.turn = s.random.below(n)
	}
	return b
}

// detached returns state for a Backend that is no longer in the live Snapshot. Its Endpoints are
// Gone from the start, so no Conn outlives its exchange, and nothing refers to it afterwards.
func (s *Set) detached(r *routing.Backend) *Backend {
	b := s.newBackend(r)
	for _, e := range b.endpoints {
		e.Gone = true
	}
	b.leave() // its Gate would be given back by nothing else
	return b
}

// samePool reports whether connections made for a serve b: the same Backend, spoken to the same way.
func samePool(a, b *routing.Backend) bool {
	return a.Key == b.Key && a.Protocol == b.Protocol && a.ExternalName == b.ExternalName
}

// reconcile takes over r's policy and Endpoints.
func (b *Backend) reconcile(r *routing.Backend) {
	known := b.source != nil
	b.source, b.balance = r, r.Balance
	b.resilience = b.set.options.resilience(r.Resilience)
	b.setGate(r.Key)
	b.guarded = b.resilience.Breaker.Percent > 0 || b.gate != nil
	if b.resilience.Breaker.Percent == 0 {
		b.breaker = breaker{}
	}
	old := b.endpoints
	var gone []*Endpoint
	b.endpoints = make([]*Endpoint, 0, len(r.Endpoints))
	for i := range r.Endpoints {
		n := &r.Endpoints[i]
		for len(old) > 0 && old[0].Addr.Compare(n.Addr) < 0 {
			gone, old = append(gone, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].Addr == n.Addr {
			old[0].Zone, old[0].Node = n.Zone, n.Node
			b.endpoints, old = append(b.endpoints, old[0]), old[1:]
			continue
		}
		e := newEndpoint(b, n)
		if known && b.resilience.SlowStart > 0 {
			e.warm = startsWarming
		}
		b.endpoints = append(b.endpoints, e)
	}
	gone = append(gone, old...)
	b.pair(r.Twins)
	b.mark()
	b.usable, b.out = nil, nil
	b.partition()
	b.countWarming()
	// Last: leave calls Discard, which must find the Backend complete.
	for _, e := range gone {
		e.leave()
	}
}

// setGate gives b the Gate that its bounds ask for.
func (b *Backend) setGate(key routing.BackendKey) {
	gates, load, before := b.set.options.Gates, b.resilience.Load, b.gate
	b.gate = nil
	if gates != nil && load.Requests > 0 {
		b.gate = gates.acquire(key, load)
	}
	if before != nil {
		gates.release(key, before) // last, so that it is the same one
	}
}

// leave makes all Endpoints leave: the Backend is no longer in the Snapshot.
func (b *Backend) leave() {
	if b.gate != nil {
		b.set.options.Gates.release(b.source.Key, b.gate)
		b.gate, b.guarded = nil, b.resilience.Breaker.Percent > 0
	}
	for _, e := range b.endpoints {
		e.leave()
	}
}
