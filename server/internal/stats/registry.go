package stats

import (
	"context"
	"sync"
	"time"
	"weak"

	"github.com/sluice-gateway/sluice/routing"
)

// Registry owns the Series and the Shards, and merges what the Shards counted. Made by NewRegistry.
// Safe for concurrent use. Must not be copied.
type Registry struct {
	// Immutable after NewRegistry:
	snapshot func() *routing.Snapshot
	tls      func() TLS // nil where none is spoken
	noRoute  *Series

	// Guarded by mu, which is held for short: Attach waits for it.
	mu     sync.Mutex
	series map[key]interned
	nextID uint64
	slots  uint32   // handed out so far
	free   []uint32 // slots of Series that are gone

	// Guarded by harvesting, which a harvest holds while it waits for the loops.
	harvesting  sync.Mutex
	shards      []*Shard
	all         totals // over every Series there ever was
	lastHarvest time.Time
}

// interned is an entry of the index: it does not keep its Series alive, and remembers the slot that
// comes free when it is gone.
type interned struct {
	series weak.Pointer[Series]
	slot   uint32
}

const (
	// patience is how long a harvest waits for all loops together.
	patience = time.Second
	// interval is how often Run harvests when nobody scrapes. A loop would need 140 million requests
	// a second to wrap a 32-bit delta in it.
	interval = 30 * time.Second
	// maxAllCodes bounds the pairs of method and status over all Series.
	maxAllCodes = 512
)

// NewRegistry makes a Registry. snapshot gives the live Snapshot, or nil, and names the Services; tls,
// which may be nil, is called at each scrape.
func NewRegistry(snapshot func() *routing.Snapshot, tls func() TLS) *Registry {
	r := &Registry{snapshot: snapshot, tls: tls, series: map[key]interned{}, all: totals{codes: codeTotals{}}}
	r.noRoute = r.newSeries(key{backend: -1}, 0)
	r.slots = 1
	return r
}

// NewShard makes the counters of one loop. post runs a function on the loop's goroutine, soon, and
// must not wait for it; it may drop it when the loop has ended. sample, which may be nil, runs there
// before each harvest, to set the gauges.
func (r *Registry) NewShard(post func(func()), sample func(*Counters)) *Shard {
	r.harvesting.Lock()
	defer r.harvesting.Unlock()
	s := &Shard{noRoute: r.noRoute, index: len(r.shards), post: post, sample: sample}
	r.shards = append(r.shards, s)
	return s
}

// Attach returns the Series of a Route: the one that another Route with the same labels has, where
// there is one. The caller keeps it in Route.Attachment.
func (r *Registry) Attach(route *routing.Route) *Series {
	k := keyOf(route)
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.series[k]; ok {
		if s := known.series.Value(); s != nil {
			return s
		}
		r.free = append(r.free, known.slot)
	}
	var slot uint32
	if n := len(r.free); n > 0 {
		slot = r.free[n-1]
		r.free = r.free[:n-1]
	} else {
		slot = r.slots
		r.slots++
	}
	s := r.newSeries(k, slot)
	r.series[k] = interned{weak.Make(s), slot}
	return s
}

func (r *Registry) newSeries(k key, slot uint32) *Series {
	r.nextID++
	return &Series{id: r.nextID, slot: slot, key: k}
}

// Run harvests now and then until ctx ends, for times when nobody scrapes.
func (r *Registry) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r.harvesting.Lock()
		if time.Since(r.lastHarvest) >= interval {
			r.harvest()
		}
		r.harvesting.Unlock()
	}
}

// harvest asks every loop for its batch, merges what comes in time, and forgets the Series that are
// gone. The caller holds harvesting.
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
		service := serviceOf(snapshot, e.series.key.backend)
		t := e.series.totals
		if t == nil || service != "" && t.service != service && t.service != "" {
			// Another Backend lives at the index now: its counters start at zero.
			t = &totals{codes: codeTotals{}}
			e.series.totals = t
		}
		if service != "" {
			t.service = service
		}
		t.merge(e.delta, maxTotalCodes)
		r.all.merge(e.delta, maxAllCodes)
		e.delta.clear()
		b.dirty[i].series = nil // the batch is kept, and must not keep a removed Series
	}
	s.returned = b
}

// serviceOf names the Service at a Backend's index, "" when there is none.
func serviceOf(s *routing.Snapshot, backend int32) string {
	if s == nil || uint(backend) >= uint(len(s.Backends)) || s.Backends[backend] == nil {
		return ""
	}
	return s.Backends[backend].Key.Service
}

// forget drops the index entries of Series that the garbage collector took.
func (r *Registry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, known := range r.series {
		if known.series.Value() == nil {
			delete(r.series, k)
			r.free = append(r.free, known.slot)
		}
	}
}

// live returns the Series that exist, the one of requests without a Route first.
func (r *Registry) live() []*Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	series := make([]*Series, 0, 1+len(r.series))
	series = append(series, r.noRoute)
	for _, known := range r.series {
		if s := known.series.Value(); s != nil {
			series = append(series, s)
		}
	}
	return series
}
