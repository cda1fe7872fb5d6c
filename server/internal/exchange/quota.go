package exchange

import "sync/atomic"

// Quota is what one loop knows of how many requests of one source may be under way. They count in plain memory of the loop,
// which takes permits for some more from the source when it has none left. Owned by the loop.
type Quota struct {
	InFlight int64
	permits  int64         // how many may be in flight without another look at the source
	all      *atomic.Int64 // what all loops have taken
	loops    int64
}

// NewQuota makes that of one of so many loops, which share all.
func NewQuota(all *atomic.Int64, loops int) Quota { return Quota{all: all, loops: int64(loops)} }

// How many permits a loop takes at a time, and how many unused ones it keeps: with few of them the bound
// is exact, with many no request of a usual client looks beyond its loop.
const (
	permitBatch = 32
	permitSpare = 4 * permitBatch
)

// begin counts a request in flight, and reports whether there may be one more of at most so many.
//
// hot: runs per request; no alloc, no lock.
func (q *Quota) begin(most int64) bool {
	if q.InFlight >= q.permits && !q.more(most) {
		return false
	}
	q.InFlight++
	return true
}

// more takes permits from the source.
func (q *Quota) more(most int64) bool {
	all := q.all
	for batch := min(permitBatch, max(most/(8*q.loops), 1)); batch > 0; batch /= 2 {
		if all.Add(batch) <= most {
			q.permits += batch
			return true
		}
		all.Add(-batch)
	}
	return false
}

// end counts a request in flight no more.
//
// hot: runs per request; no alloc, no lock.
func (q *Quota) end() {
	if q.InFlight--; q.permits-q.InFlight > permitSpare {
		q.giveBack(q.permits - q.InFlight - permitBatch)
	}
}

// giveBack returns n permits to the source.
func (q *Quota) giveBack(n int64) {
	q.permits -= n
	q.all.Add(-n)
}

// GiveBackSpare returns every permit that no request has.
func (q *Quota) GiveBackSpare() { q.giveBack(q.permits - q.InFlight) }
