package stats

import "github.com/prometheus/client_golang/prometheus"

// FilterID is the number of a filter among those that a Server has: of a Kind of the onion, or of every Route. Labels of
// filters come from there alone, and so their number is that of filters in the program.
type FilterID uint8

const (
	// maxFilters bounds the filters that are counted each by itself, the last of them for all that came later. Registered
	// are those of the gateway and of the program, some dozens.
	maxFilters = 128
	// OtherFilter is that last one.
	OtherFilter FilterID = maxFilters - 1
	// maxOutcomes does the same for what they count of their own, all filters together.
	maxOutcomes = 128
)

// FilterCounts are the verdicts of one filter.
type FilterCounts struct {
	// Of the request phase; one that had parked has another Verdict besides:
	Continued, Responded, Parked, Failed uint64
	// Of the response phase:
	Passed, Replaced, Spoiled uint64
	// Faulted counts faults of the other phases.
	Faulted uint64
}

// Add adds those of another loop.
func (c *FilterCounts) Add(o *FilterCounts) {
	c.Continued += o.Continued
	c.Responded += o.Responded
	c.Parked += o.Parked
	c.Failed += o.Failed
	c.Passed += o.Passed
	c.Replaced += o.Replaced
	c.Spoiled += o.Spoiled
	c.Faulted += o.Faulted
}

// registered is a filter with a FilterID.
type registered struct {
	name     string
	outcomes []string
	first    int // the place of the first of its outcomes in Counters
}

// AddFilter registers a filter before the loops run. Filters of one name share their counts.
func (r *Registry) AddFilter(name string, outcomes []string) FilterID {
	r.harvesting.Lock()
	defer r.harvesting.Unlock()
	next := 0
	for id, f := range r.filters {
		if f.name == name && len(outcomes) == 0 {
			return FilterID(id)
		}
		next = f.first + len(f.outcomes)
	}
	if len(r.filters) == int(OtherFilter) {
		return OtherFilter
	}
	if next+len(outcomes) > maxOutcomes {
		outcomes = nil
	}
	r.filters = append(r.filters, registered{name, outcomes, next})
	return FilterID(len(r.filters) - 1)
}

// Outcomes returns the place of the first outcome of a filter, and how many it has.
func (r *Registry) Outcomes(id FilterID) (first, n int) {
	if int(id) < len(r.filters) {
		return r.filters[id].first, len(r.filters[id].outcomes)
	}
	return 0, 0
}

// Filter returns the counts of a filter.
//
// hot: runs per filter and request; no alloc, no lock.
func (s *Shard) Filter(id FilterID) *FilterCounts { return &s.Filters[id%maxFilters] }

// CountOutcome counts the outcome at a place.
//
// hot: runs per request; no alloc, no lock.
func (s *Shard) CountOutcome(place int) { s.Outcomes[uint(place)%maxOutcomes]++ }

// sendFilters sends the counts of filters. The caller holds harvesting.
func (r *Registry) sendFilters(ch chan<- prometheus.Metric, sum *Counters) {
	send := func(name string, c *FilterCounts) {
		for _, v := range [...]struct {
			phase, verdict string
			n              uint64
		}{
			{"request", "continue", c.Continued}, {"request", "respond", c.Responded}, {"request", "park", c.Parked}, {"request", "fault", c.Failed},
			{"response", "continue", c.Passed}, {"response", "respond", c.Replaced}, {"response", "fault", c.Spoiled},
			{"other", "fault", c.Faulted},
		} {
			filterVerdicts.value(ch, float64(v.n), name, v.phase, v.verdict)
		}
	}
	sent := map[string]bool{}
	for id, f := range r.filters {
		if !sent[f.name] {
			sent[f.name] = true
			send(f.name, &sum.Filters[id])
		}
		for i, name := range f.outcomes {
			filterOutcomes.value(ch, float64(sum.Outcomes[f.first+i]), f.name, name)
		}
	}
	if len(r.filters) == int(OtherFilter) {
		send("_other", &sum.Filters[OtherFilter])
	}
}
