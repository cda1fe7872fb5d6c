package exchange

import "sync/atomic"

// Quota bounds the requests of one Source that are in flight on one loop. They count in plain memory of the loop, which
// takes permits from the Source, a batch at a time, when it has none left. Owned by the loop. Made by NewQuota.
type Quota struct {
	InFlight int64         // requests
	permits  int64         // how many may be in flight before the loop takes more
	all      *atomic.Int64 // permits that all loops have taken
	loops    int64
}

// NewQuota makes the Quota of one of so many loops. They count the permits of the Source in all.
func NewQuota(all *atomic.Int64, loops int) Quota { return Quota{all: all, loops: int64(loops)} }

// A loop takes permitBatch permits at a time, and keeps up to permitSpare unused ones: fewer make the bound exact, more
// spare the requests of a usual client any look beyond their loop.
const (
	permitBatch = 32
	permitSpare = 4 * permitBatch
)

// admit counts one request more in flight, and reports whether the Source may have it: most is its bound.
//
// hot: runs per request; no alloc, no lock.
func (q *Quota) admit(most int64) bool {
	if q.InFlight >= q.permits && !q.takePermits(most) {
		return false
	}
	q.InFlight++
	return true
}

// takePermits takes a batch of permits, or a part of one, and reports whether any were left.
func (q *Quota) takePermits(most int64) bool {
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

// finish counts one request less in flight.
//
// hot: runs per request; no alloc, no lock.
func (q *Quota) finish() {
	if q.InFlight--; q.permits-q.InFlight > permitSpare {
		q.giveBack(q.permits - q.InFlight - permitBatch)
	}
}

// giveBack returns n permits to the Source.
func (q *Quota) giveBack(n int64) {
	q.permits -= n
	q.all.Add(-n)
}

// GiveBackSpare returns every permit that no request uses: the Source has no connection on the loop any more, or its bound
// has changed.
func (q *Quota) GiveBackSpare() { q.giveBack(q.permits - q.InFlight) }
