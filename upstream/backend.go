package upstream

import (
	"math"
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
)

// never is later than every time.
const never = math.MaxInt64

// Backend is the state of one routing.Backend on one loop: its Endpoints and the balancer between
// them. Made by a Set only. Must not be copied, and belongs to one loop.
type Backend struct {
	// Set by reconciliation:
	source    *routing.Backend
	set       *Set
	balance   routing.Balance
	endpoints []*Endpoint // in the order of source.Endpoints
	// faces counts the Endpoints that do not stand aside, one for each Pod; shunned is the family in
	// which Pods cannot be connected to, as far as twins showed.
	faces   int
	shunned family

	// usable are the Endpoints to pick from: the healthy ones, or all when none is
	// healthy. out are the ejected and probing ones.
	usable, out []*Endpoint
	// seeds has one for each of usable, once a request with a key has needed them: see spread.go.
	seeds []uint64
	// nextProbe is when the first of out is due; never when out is empty.
	nextProbe int64
	// resilience is the source's, with the Set's Options where that says nothing; warming counts the Endpoints in slow start.
	resilience routing.Resilience
	warming    int
	// guarded is true where the Backend has a breaker or a bound of its requests.
	guarded bool
	// gate bounds the requests; nil: nothing does.
	gate *Gate
	// turn is the index in usable that round robin took last.
	turn int
	// typical is the running median of the Endpoints' latencies in nanoseconds; 0 before the first.
	typical float64

	budget  budget
	breaker breaker

	// Counted for Stats, over all Endpoints that are or were this Backend's:
	inFlight, conns, idle int32
	ejections             uint64
	denied                uint64 // replays that the budget did not allow
	outcomes              [Outcomes]uint64
}

// Source returns the routing.Backend that b was last reconciled with.
func (b *Backend) Source() *routing.Backend { return b.source }

// Len returns the number of Endpoints.
func (b *Backend) Len() int { return len(b.endpoints) }

// Guarded reports whether requests have to ask Refuses, or Gate, before they begin.
//
// hot: runs per request; no alloc, no lock.
func (b *Backend) Guarded() bool { return b.guarded }

// Gate returns what bounds b's requests; nil: nothing does.
//
// hot: runs per request; no alloc, no lock.
func (b *Backend) Gate() *Gate { return b.gate }

// Verdict returns the Outcome of a complete answer with this status.
//
// hot: runs per request; no alloc, no lock.
func (b *Backend) Verdict(status int) Outcome {
	if b.resilience.Eject.ServerErrors && (status == 500 || status >= 502 && status <= 504) {
		return ServerError
	}
	return OK
}

// pick returns the Endpoint for one exchange by the Backend's policy, or nil when it has none. avoid,
// which may be nil, is the Endpoint that has just failed: it is returned only when there is no other,
// and its twin does not count as another. An ejected Endpoint that is due for its probe comes first.
//
// hot: runs per request; no alloc, no lock.
func (b *Backend) pick(now int64, avoid *Endpoint) *Endpoint {
	if avoid != nil {
		avoid = avoid.face()
	}
	if now >= b.nextProbe {
		if e := b.probe(now, avoid); e != nil {
			return e
		}
	}
	if len(b.usable) < 2 {
		return b.only(avoid)
	}
	switch b.balance {
	case routing.EWMA:
		return b.leastCost(now, avoid)
	case routing.LeastConnections:
		return b.leastInFlight(now, avoid)
	}
	e := b.roundRobin()
	if b.warming > 0 {
		e = b.skipWarming(e, now)
	}
	if e == avoid {
		e = b.roundRobin()
	}
	return e
}

// wished returns the face of the Pod that has the Endpoint with that address, or nil where b has none or it is ejected;
// where all are ejected, any may be had. Endpoints are in the order of their addresses.
//
// hot: runs per request with a wish; no alloc, no lock.
func (b *Backend) wished(addr netip.AddrPort) *Endpoint {
	low, high := 0, len(b.endpoints)
	for low < high {
		if middle := (low + high) / 2; b.endpoints[middle].Addr.Compare(addr) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(b.endpoints) || b.endpoints[low].Addr != addr {
		return nil
	}
	e := b.endpoints[low].face()
	if e.health != healthy && len(b.out) < b.faces || e.unwell && !b.usable[0].unwell {
		return nil
	}
	return e
}

// only is pick when at most one Endpoint is usable: an ejected Endpoint is better than avoid.
func (b *Backend) only(avoid *Endpoint) *Endpoint {
	if len(b.usable) == 0 {
		return nil
	}
	if e := b.usable[0]; e != avoid || len(b.out) == 0 {
		return e
	}
	i := b.set.random.below(len(b.out))
	if b.out[i] == avoid {
		// All are out, and there is only this one.
		i = (i + 1) % len(b.out)
	}
	return b.out[i]
}
