package upstream

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/routing"
)

// Endpoints that fail the Checker's checks are unwell: they are neither picked nor probed, whatever their Health, unless none
// is well. A Set keeps what it was told of Backends that it does not know yet.

// Unwell takes over which Endpoints of a Backend are unwell. list is sorted, and kept. It runs on the loop.
func (s *Set) Unwell(index int32, key routing.BackendKey, list []netip.AddrPort) {
	if len(list) == 0 {
		delete(s.unwell, key)
	} else {
		if s.unwell == nil {
			s.unwell = make(map[routing.BackendKey][]netip.AddrPort)
		}
		s.unwell[key] = list
	}
	if i := int(index); i >= 0 && i < len(s.backends) {
		if b := s.backends[i]; b != nil && b.source.Key == key {
			b.mark()
			b.partition()
			b.countWarming()
		}
	}
}

// mark notes on each Endpoint whether it is unwell. partition must follow.
func (b *Backend) mark() {
	list := b.set.unwell[b.source.Key]
	for _, e := range b.endpoints {
		was := e.unwell
		_, e.unwell = slices.BinarySearchFunc(list, e.Addr, netip.AddrPort.Compare)
		if was && !e.unwell && b.resilience.SlowStart > 0 {
			e.warm = startsWarming
		}
	}
	if len(list) == 0 {
		return
	}
	for _, e := range b.endpoints {
		if e.unwell && !e.aside && e.twin != nil && !e.twin.unwell {
			e.turn()
		}
	}
}
