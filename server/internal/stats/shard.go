package stats

// Counters are one loop's plain totals; the loop adds to them directly. Copyable. All count from
// the start of the loop but for the gauges, which hold present values.
type Counters struct {
	// ConnectionsAccepted and ConnectionsClosed may be counted by two loops for one connection that
	// was handed over; their sums over all loops fit together.
	ConnectionsAccepted uint64
	ConnectionsClosed   [Closes]uint64
	// ConnectionsRefused were closed at once because limits.connections was reached.
	ConnectionsRefused    uint64
	ConnectionsHandedOver uint64

	// ExchangesStarted counts request heads, ExchangesEnded is counted by Record.
	ExchangesStarted uint64
	ExchangesEnded   uint64
	// Failures and the two sums of bytes are counted by Record.
	Failures           [Reasons]uint64
	BytesIn, BytesOut  uint64
	Tunnels            uint64
	SplicedBytes       uint64
	Retries            uint64
	RetriesDenied      uint64 // sampled at scrape, like the next two
	Breaks, Broken     uint64
	UpstreamConnects   uint64
	UpstreamReuses     uint64
	UpstreamEjections  uint64
	UpstreamStaleConns uint64

	// Passthroughs counts TLS connections passed to an Endpoint as they are, once connected;
	// PassthroughFailures those that did not get there, or did not end properly; PassthroughIn and
	// PassthroughOut bytes from their clients and to them.
	Passthroughs                  uint64
	PassthroughFailures           [Reasons]uint64
	PassthroughIn, PassthroughOut uint64

	// Floods counts clients' HTTP/2 connections that were cut for a flood: see h2.Flood.
	Floods [Floods]uint64
	// EndpointFloods counts those of Endpoints that take no more requests for the same reason.
	EndpointFloods [Floods]uint64
	// Refusals counts connections for TLS that ended before their handshake began.
	Refusals [Refusals]uint64

	// Shed counts connections and requests closed, cut or refused for others.
	Shed [Sheds]uint64

	// ProxyRefusals counts connections closed for want of a valid PROXY protocol header.
	ProxyRefusals [ProxyRefusals]uint64

	// Filters are counted by FilterID, and Outcomes by their places.
	Filters  [maxFilters]FilterCounts
	Outcomes [maxOutcomes]uint64

	// Gauges, set by the sample function:
	UpstreamIdle, UpstreamActive uint64
	Timers                       uint64
	Buffered                     uint64 // bytes

	LoopBatches, LoopEvents uint64
}

// Shard is the counters of one loop. Made by Registry.NewShard. Everything on it belongs to the
// loop's goroutine. Must not be copied.
type Shard struct {
	Counters

	// Immutable after NewShard:
	noRoute *Series
	index   int
	post    func(func())
	sample  func(*Counters)
	wake    chan<- struct{}

	// Owned by the loop:
	held  int // events that wait for apply
	epoch uint64
	local []*delta // by Series.slot; entries may be stale
	dirty []entry
	spare []*delta
	// events and deltas are parallel, see Record.
	events [eventBatch]heldEvent
	deltas [eventBatch]*delta
	sink   uint64

	// Guarded by Registry.harvesting:
	pending      chan batch // an answer that has not come yet
	unresponsive bool
	latest       Counters
	returned     batch // merged and cleared, to be given back to the loop
}

// entry is a Series that was recorded since the last harvest.
type entry struct {
	series *Series
	delta  *delta
}

// batch is a loop's answer to a harvest.
type batch struct {
	counters Counters
	dirty    []entry
}

// Event is one exchange that ended. Sizes and times below zero count as zero.
type Event struct {
	// Method is the codec's number for it, 0 = another one.
	Method uint8
	Reason Reason
	// Status is the status sent to the client; 0 when it left before any.
	Status uint16
	// BytesIn and BytesOut are the request and the response on the client's side, heads included.
	BytesIn, BytesOut int64
	// Duration in nanoseconds, from the first byte of the request to the last of the response.
	Duration int64
	// Upstream in nanoseconds, from the choice of an Endpoint to the end of its response; 0 when
	// none was asked, and then the next two do not count.
	Upstream int64
	// Connect is 0 for a connection from the pool; Header is the time to the response's head.
	Connect, Header int64
}

// eventBatch is how many exchanges are held before they are counted in the deltas of their Series.
const eventBatch = 32

// heldEvent keeps its Series, and so the slot of it, alive.
type heldEvent struct {
	series *Series
	Event
}

// Record counts one exchange. series is nil for requests without a Route.
//
// The Series' own counters wait until eventBatch exchanges are held, or a harvest asks. Requests that
// spread over 100,000 Routes find no delta in a cache; one at a time they would wait for its lines one
// after the other, half a microsecond a request. The lines of a batch come at the same time.
//
// hot: runs per request; no alloc, no lock, no atomic.
func (s *Shard) Record(series *Series, e *Event) {
	s.ExchangesEnded++
	s.Failures[e.Reason]++
	s.BytesIn += uint64(max(e.BytesIn, 0))
	s.BytesOut += uint64(max(e.BytesOut, 0))

	if series == nil {
		series = s.noRoute
	}
	h := &s.events[s.held%eventBatch]
	h.series, h.Event = series, *e
	if s.held++; s.held == eventBatch {
		s.apply()
	}
}

// apply counts the held events. First it finds their deltas, then it reads from every cache line that it
// will write to: loads that do not depend on each other. Only then it writes.
//
// hot: runs per request; no alloc, no lock, no atomic.
func (s *Shard) apply() {
	events := s.events[:s.held]
	s.held = 0
	for i := range events {
		s.deltas[i] = nil
		if slot := uint(events[i].series.slot); slot < uint(len(s.local)) {
			s.deltas[i] = s.local[slot]
		}
	}
	var sum uint64
	for i := range events {
		// A stale delta belongs to the scraper, but for its stamp.
		if d := s.deltas[i]; d != nil && d.stamp == (stamp{events[i].series.id, s.epoch}) {
			bucket := &d.times[timeBucket(uint64(max(events[i].Duration, 0)))]
			sum += d.stamp.epoch + uint64(d.codes[0].n) + uint64(bucket[0]) + uint64(d.times[0][0]) + uint64(d.sizes[3][0])
		}
	}
	s.sink = sum // otherwise the compiler would leave the loads out
	for i := range events {
		series, d := events[i].series, s.deltas[i]
		if d == nil || d.stamp != (stamp{series.id, s.epoch}) {
			d = s.find(series)
		}
		d.record(&events[i].Event)
		events[i].series = nil
	}
}

// find returns the delta for series where a first look found none: that of the Series it is folded into, one that
// an earlier event was given meanwhile, or a new one.
func (s *Shard) find(series *Series) *delta {
	if to := series.folded.Load(); to != nil {
		series = to
	}
	if uint(series.slot) < uint(len(s.local)) {
		if d := s.local[series.slot]; d != nil && d.stamp == (stamp{series.id, s.epoch}) {
			return d
		}
	}
	return s.touch(series)
}

// manyDirty is how many deltas a loop holds before it asks for a harvest out of turn: half a kilobyte each. A harvest
// without room for further Series folds them, so that requests to very many Routes do not take a delta for each.
const manyDirty = 2048

// touch gives series a delta for this epoch.
func (s *Shard) touch(series *Series) *delta {
	if n := int(series.slot) + 1; n > len(s.local) {
		grown := make([]*delta, max(n, 2*len(s.local), 64))
		copy(grown, s.local)
		s.local = grown
	}
	var d *delta
	if n := len(s.spare); n > 0 {
		d = s.spare[n-1]
		s.spare = s.spare[:n-1]
	} else {
		d = new(delta)
	}
	d.stamp = stamp{series.id, s.epoch}
	s.local[series.slot] = d
	s.dirty = append(s.dirty, entry{series, d})
	if len(s.dirty) == manyDirty {
		select {
		case s.wake <- struct{}{}:
		default: // asked already
		}
	}
	return d
}

// handOver runs on the loop: it takes back the parts that an earlier harvest merged, and gives everything recorded
// since. Only the append of spares, of manyDirty at most, is proportional to the work of that earlier harvest.
func (s *Shard) handOver(returned batch) batch {
	if s.sample != nil {
		s.sample(&s.Counters)
	}
	s.apply()
	for _, e := range returned.dirty {
		if len(s.spare) == manyDirty {
			break // a burst over many Routes: the rest is garbage
		}
		s.spare = append(s.spare, e.delta)
	}
	out := batch{counters: s.Counters, dirty: s.dirty}
	s.dirty = returned.dirty[:0]
	s.epoch++
	return out
}
