package stats

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/sluice-gateway/sluice/routing"
)

// Registry owns the Series and the Shards, and merges the Shards' counts. Made by NewRegistry. Safe
// for concurrent use. Must not be copied.
type Registry struct {
	// Immutable after NewRegistry:
	snapshot func() *routing.Snapshot
	tls      func() TLS // nil where none is spoken
	// Care is called at each scrape; nil: none of its metrics are sent. Set it before the first one.
	Care    func() Care
	limits  Limits
	keep    histogramSet // of Series
	noRoute *Series
	wake    chan struct{} // a loop holds many deltas

	// Guarded by mu, which is never held for long: Attach waits for it.
	mu     sync.Mutex
	series map[key]interned
	nextID uint64
	slots  uint32   // handed out so far
	free   []uint32 // slots of Series that are gone

	// Guarded by harvesting, which a harvest holds while it waits for the loops.
	harvesting  sync.Mutex
	shards      []*Shard
	filters     []registered // by FilterID
	all         *totals      // over every Series so far
	lastHarvest time.Time
	// own counts the Series that have samples of their own, in all and by namespace; other holds the ones that
	// count for all Series without room, by namespace, or by otherIngress where there is no room for any.
	own            int
	ownByNamespace map[string]int
	other          map[string]*Series
}

// Limits bound a scrape's samples of Routes. The writers of Ingresses decide how many Routes there are, and clients which
// of them are used: without bounds a tenant could make a scrape of gigabytes.
type Limits struct {
	// Series is how many label sets there may be in all, and PerNamespace those of the objects of one namespace; later
	// ones are counted together. They bound the hosts whose certificates are reported, too: those that expire last are
	// left out.
	Series, PerNamespace int
	// Histograms are names of RouteHistograms that are reported with their buckets; the others have only the sum and the
	// count.
	Histograms []string
}

// interned is an entry of the index: it does not keep its Series alive, and remembers the slot that
// is free when the Series is gone.
type interned struct {
	series weak.Pointer[Series]
	slot   uint32
	own    bool // counted in Registry.own
}

const (
	// patience is how long a harvest waits for all loops together.
	patience = time.Second
	// interval is how often Run harvests between scrapes. A loop would need 140 million requests a
	// second to wrap a 32-bit delta in it.
	interval = 30 * time.Second
	// maxAllCodes bounds the pairs of method and status over all Series.
	maxAllCodes = 512
)

// NewRegistry makes a Registry. snapshot gives the live Snapshot, or nil, and names the Services; tls,
// which may be nil, is called at each scrape.
func NewRegistry(snapshot func() *routing.Snapshot, tls func() TLS, limits Limits) *Registry {
	r := &Registry{
		snapshot: snapshot, tls: tls, limits: limits,
		wake: make(chan struct{}, 1), series: map[key]interned{}, all: newTotals(allHistograms),
		ownByNamespace: map[string]int{}, other: map[string]*Series{},
	}
	for which, m := range routeHistograms {
		if slices.Contains(limits.Histograms, m.Name) {
			r.keep |= 1 << which
		}
	}
	r.noRoute = r.newSeries(key{backend: -1}, 0)
	r.slots = 1
	return r
}

// NewShard makes the counters of one loop. post runs a function on the loop's goroutine, soon, and
// must not wait for it; it may drop the function when the loop has ended. sample, which may be nil,
// runs there before each harvest, to set the gauges.
func (r *Registry) NewShard(post func(func()), sample func(*Counters)) *Shard {
	r.harvesting.Lock()
	defer r.harvesting.Unlock()
	s := &Shard{noRoute: r.noRoute, index: len(r.shards), post: post, sample: sample, wake: r.wake}
	r.shards = append(r.shards, s)
	return s
}

// Attach returns the Series of a Route: that of another Route with the same labels, where there is
// one. The caller keeps it in Route.Attachment.
func (r *Registry) Attach(route *routing.Route) *Series { return r.attach(keyOf(route)) }

// AttachCanary is Attach for the requests of a Route that a canary serves, whose Backend has that index.
func (r *Registry) AttachCanary(route *routing.Route, backend int32) *Series {
	k := keyOf(route)
	k.canary = backend + 1
	return r.attach(k)
}

func (r *Registry) attach(k key) *Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.series[k]; ok {
		if s := known.series.Value(); s != nil {
			return s
		}
		// The place of its samples goes with the key, until the key is forgotten.
		s := r.newSeries(k, known.slot)
		r.series[k] = interned{weak.Make(s), known.slot, known.own}
		return s
	}
	s := r.newSeries(k, r.newSlot())
	r.series[k] = interned{series: weak.Make(s), slot: s.slot}
	return s
}

func (r *Registry) newSlot() uint32 {
	if n := len(r.free); n > 0 {
		slot := r.free[n-1]
		r.free = r.free[:n-1]
		return slot
	}
	r.slots++
	return r.slots - 1
}

func (r *Registry) newSeries(k key, slot uint32) *Series {
	r.nextID++
	return &Series{id: r.nextID, slot: slot, key: k}
}

// Run harvests until ctx ends, at intervals between scrapes, and when a loop holds many deltas.
func (r *Registry) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.harvesting.Lock()
			if time.Since(r.lastHarvest) >= interval {
				r.harvest()
			}
			r.harvesting.Unlock()
		case <-r.wake:
			r.harvesting.Lock()
			r.harvest()
			r.harvesting.Unlock()
		}
	}
}

// harvest asks every loop for its batch, merges those that come in time, and forgets the Series
// that are gone. The caller holds harvesting.
func (r *Registry) harvest() {
	r.lastHarvest = time.Now()
	for _, s := range r.shards {
		if s.pending != nil {
			continue // asked before, and still to answer
		}
		answer := make(chan batch, 1)
		returned := s.returned
		s.pending, s.returned = answer, batch{}
		s.post(func() { answer <- s.handOver(returned) })
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	expired := false
	for _, s := range r.shards {
		var b batch
		s.unresponsive = false
		if expired {
			select {
			case b = <-s.pending:
			default:
				s.unresponsive = true
			}
		} else {
			select {
			case b = <-s.pending:
			case <-deadline.C:
				expired, s.unresponsive = true, true
			}
		}
		if !s.unresponsive {
			s.pending = nil
			r.merge(s, b)
		}
	}
	r.forget()
}

// merge takes a batch in and keeps its emptied parts for the loop.
func (r *Registry) merge(s *Shard, b batch) {
	s.latest = b.counters
	snapshot := r.snapshot()
	for i, e := range b.dirty {
		series := r.counted(e.series)
		service, canary := serviceOf(snapshot, series.key.backend), canaryOf(snapshot, series.key.canary-1)
		t := series.totals
		if t == nil || differs(t.service, service) || differs(t.canary, canary) {
			// Another Backend has the index now: its counters start at zero.
			t = newTotals(r.keep)
			series.totals = t
		}
		t.service, t.canary = cmp.Or(service, t.service), cmp.Or(canary, t.canary)
		t.merge(e.delta, maxTotalCodes)
		r.all.merge(e.delta, maxAllCodes)
		e.delta.clear()
		b.dirty[i].series = nil // the batch is kept, and must not keep a removed Series
	}
	s.returned = b
}

// differs reports whether a Backend has another name now, where both are known.
func differs(was, is string) bool { return was != "" && is != "" && was != is }

// counted returns the Series that counts the requests of s: itself while there is room for its label set.
func (r *Registry) counted(s *Series) *Series {
	if to := s.folded.Load(); to != nil {
		return to
	}
	if s.totals != nil || s == r.noRoute || s.isOther() {
		return s
	}
	namespace := s.key.ingress.Namespace
	full := r.own >= r.limits.Series
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.series[s.key]
	if known.own {
		return s // takes the place of a Series with the same labels that is gone
	}
	if !full && r.ownByNamespace[namespace] < r.limits.PerNamespace {
		known.own = true
		r.series[s.key] = known
		r.own++
		r.ownByNamespace[namespace]++
		return s
	}
	if full {
		namespace = otherIngress
	}
	to := r.other[namespace]
	if to == nil {
		to = r.newSeries(key{ingress: routing.ObjectName{Namespace: namespace, Name: otherIngress}, backend: -1}, r.newSlot())
		r.other[namespace] = to
	}
	s.folded.Store(to)
	return to
}

// isOther is true of a Series that counts for others without room.
func (s *Series) isOther() bool { return s.key.ingress.Name == otherIngress }

// serviceOf names the Service at a Backend's index, "" when there is none.
func serviceOf(s *routing.Snapshot, backend int32) string {
	if s == nil || uint(backend) >= uint(len(s.Backends)) || s.Backends[backend] == nil {
		return ""
	}
	return s.Backends[backend].Key.Service
}

// canaryOf names the Backend at a canary's index as ingress-nginx does, "" when there is none.
func canaryOf(s *routing.Snapshot, backend int32) string {
	if s == nil || uint(backend) >= uint(len(s.Backends)) || s.Backends[backend] == nil {
		return ""
	}
	k := &s.Backends[backend].Key
	return k.Namespace + "-" + k.Service + "-" + k.Port
}

// forget drops the index entries of Series that the garbage collector took.
func (r *Registry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, known := range r.series {
		if known.series.Value() == nil {
			delete(r.series, k)
			r.free = append(r.free, known.slot)
			if known.own {
				r.own--
				if r.ownByNamespace[k.ingress.Namespace]--; r.ownByNamespace[k.ingress.Namespace] == 0 {
					delete(r.ownByNamespace, k.ingress.Namespace)
				}
			}
		}
	}
}

// live returns the Series that exist, the one of requests without a Route first. The caller holds harvesting.
func (r *Registry) live() []*Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	series := make([]*Series, 0, 1+len(r.other)+len(r.series))
	series = append(series, r.noRoute)
	for _, other := range r.other {
		series = append(series, other)
	}
	for _, known := range r.series {
		if s := known.series.Value(); s != nil {
			series = append(series, s)
		}
	}
	return series
}
