package upstream

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
)

// Set is one loop's view of all Backends. NewSet makes it; the zero value is not usable. Must not
// be copied; all of it belongs to one loop and is not safe for concurrent use.
type Set struct {
	// Discard closes an idle Conn that the pool drops; the Conn is already forgotten. Set it before
	// the first use. It runs inside Backend, Sweep, Acquire and Expire, for Conns that are idle,
	// hence never for the one whose event the loop is handling unless that one is in the pool.
	Discard func(*Conn)

	// Immutable after NewSet:
	options Options

	// backends is indexed by routing.Backend.Index; nil where this loop has not used one.
	backends []*Backend
	random   random
	// unwell has the Endpoints that fail their checks, of Backends that have some.
	unwell map[routing.BackendKey][]netip.AddrPort
	// firstQueued and lastQueued are the ends of the expiry queue.
	firstQueued, lastQueued *Endpoint
}

// NewSet returns an empty Set. It learns of Backends as requests use them.
func NewSet(o Options) *Set {
	return &Set{options: o.withDefaults(), random: random{state: o.Seed}}
}

// Backend returns the state behind r, which is not nil. A Backend that is not known yet, or has
// changed, is reconciled first: see adopt.
//
// hot: runs per request; no alloc, no lock.
func (s *Set) Backend(r *routing.Backend) *Backend {
	if i := uint(r.Index); i < uint(len(s.backends)) {
		if b := s.backends[i]; b != nil && b.source == r {
			return b
		}
	}
	return s.adopt(r)
}

// Sweep reconciles all known Backends with backends, those of the live Snapshot, and drops those
// that left. The caller loads the Snapshot on the loop, at the time of the call, so that the Set
// only ever goes forward. One pointer comparison for each Backend that did not change.
func (s *Set) Sweep(backends []*routing.Backend) {
	for i, b := range s.backends {
		switch {
		case b == nil:
		case i >= len(backends) || backends[i] == nil:
			b.leave()
			s.backends[i] = nil
		case backends[i] != b.source:
			s.replace(backends[i])
		}
	}
}

// Stats are the gauges and counters of one Backend on one loop. A counter falls to zero when its
// Backend leaves the Snapshot and comes again.
type Stats struct {
	// Endpoints counts all, Ejected those left out of balancing at present.
	Endpoints, Ejected int
	// Conns counts open connections, Idle those in the pool; InFlight counts exchanges. Endpoints
	// that are Gone are included for as long as they have some.
	Conns, Idle, InFlight int32
	// Ejections counts verdicts, repeated ones included.
	Ejections uint64
	// Denied counts replays that the budget did not allow.
	Denied uint64
	// Broken reports that the breaker is not closed, and Breaks counts how often it opened.
	Broken bool
	Breaks uint64
	// Outcomes counts finished exchanges by Outcome.
	Outcomes [Outcomes]uint64
}

// Stats calls f for each known Backend.
func (s *Set) Stats(f func(routing.BackendKey, Stats)) {
	for _, b := range s.backends {
		if b == nil {
			continue
		}
		f(b.source.Key, Stats{
			Endpoints: len(b.endpoints), Ejected: len(b.out),
			Conns: b.conns, Idle: b.idle, InFlight: b.inFlight,
			Ejections: b.ejections, Denied: b.denied, Broken: b.breaker.state != breakerClosed, Breaks: b.breaker.opened, Outcomes: b.outcomes,
		})
	}
}
