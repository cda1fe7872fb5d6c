package limit

import (
	"math/bits"
	"sync/atomic"
)

// The counts of clients, for all loops and all limits of the process.
//
// A bucket is nginx's: the excess of requests over the rate, in thousandths of a request, and when it was last counted. It
// leaks by the rate, and each request adds 1000; a request that would bring it above the burst is refused and adds nothing.
// The arithmetic is nginx's to the last digit, roundings of its whole milliseconds included.
//
//	hash of zone and client ──► a set of 8 entries ──► key | rate, last | excess
//	                            [k s k s k s k s k s k s k s k s]    128 bytes
//
// There is no lock, and no pointer for the garbage collector. Counting is one compare-and-swap of the word that has both
// numbers. An entry is given to another client in three steps, of which the first decides who does it: the word becomes
// taken, the key is written, the word is written. Whoever reads the word before the key, and swaps the word it read, can't
// count for a client that the entry was taken from.
//
// Memory is bounded: a new client takes an entry that is empty, or else, of the 8, the one with the least excess left. An
// entry that has leaked out tells nothing that a new one does not, so nothing is lost while no more than 8 clients of a set
// are above nought at a time. Beyond that the client that is given up is the one that was nearest to nought: a flood of
// addresses takes the entries of its own kind, with one request each. Who wants to have a bucket of his with an excess of n
// forgotten has to fill 8 entries with more than n requests each, and, because the hash is keyed, cannot tell which: that is
// n requests for each entry of the table.
//
// Measured with BenchmarkBuckets on two busy cores, in nanoseconds of processor time for each count, of a million clients at
// random, where all of it is cache lines missed, and of one client on both cores:
//
//	this: 32 MiB, as many as there may be          255     9
//	256 shards, each with a lock and a map: 36 MiB,
//	  without anything that says who is to go      253    18
//	a sync.Map of atomic words: 116 MiB           1126    24
//
// Sets of 16 cost the same at random and 3 % more in a flood; huge pages save a tenth, and take all 32 MiB for the first
// client.

const (
	ways    = 8
	sets    = 1 << 18
	entries = ways * sets

	// taken marks an entry that is being given to another client. No count has this value.
	taken = ^uint64(0)

	// unit is one request.
	unit = 1000
	// maxRate bounds rates, in thousandths of a request a second, so that a product with milliseconds of 24 days fits.
	maxRate = 1_000_000 * unit
	// maxBurst bounds what may come at once: an excess is 32 bits.
	maxBurst = 4_000_000 * unit
)

// entry is one client's count under one limit.
type entry struct {
	// key is 48 bits of the hash, and the rate, rounded down to 16 bits: see packRate. The set has the other bits.
	key atomic.Uint64
	// word is when the bucket was last counted, 32 bits of milliseconds, and its excess; 0 for an entry that was never used.
	word atomic.Uint64
}

// buckets is the table. Made by newBuckets. Safe for concurrent use.
type buckets struct{ entries []entry }

// rate is what the clients of one limit are counted by. Immutable.
type rate struct {
	perSecond int64 // thousandths of a request
	burst     int64 // thousandths of a request
	packed    uint64
}

// newRate makes a rate of so many requests in so many seconds. The division is nginx's.
func newRate(requests, seconds, multiplier int) *rate {
	n := min(int64(requests), maxRate)
	r := &rate{
		perSecond: max(min(n*unit/int64(seconds), maxRate), 1),
		burst:     min(n*min(int64(multiplier), maxBurst/unit), maxBurst/unit) * unit,
	}
	r.packed = packRate(uint64(r.perSecond))
	return r
}

// packRate has a rate in 16 bits: an exponent, and the 11 bits behind the first.
func packRate(r uint64) uint64 {
	if r < 1<<11 {
		return r
	}
	shift := uint64(bits.Len64(r)) - 12
	return (shift+1)<<11 | r>>shift&(1<<11-1)
}

func unpackRate(p uint64) int64 {
	if p < 1<<11 {
		return int64(p)
	}
	return int64((1<<11 | p&(1<<11-1)) << (p>>11 - 1))
}

// left returns the excess of a bucket that has leaked since it was last counted.
func left(word uint64, perSecond int64, now uint32) (excess, elapsed int64) {
	elapsed = int64(int32(now - uint32(word>>32)))
	switch {
	case elapsed < -60_000:
		// Longer ago than a difference of 32 bits tells: the clock does not go back. One time in 49 days a client that comes
		// back is taken for one that has just been here, with the excess that it had.
		return 0, 1
	case elapsed < 0:
		elapsed = 0 // another loop's clock was read a moment later
	}
	return int64(uint32(word)) - perSecond*elapsed/1000, elapsed
}

// next returns the word of a bucket that one request more is added to, and its excess.
func (r *rate) next(word uint64, now uint32) (next uint64, excess int64) {
	excess, elapsed := left(word, r.perSecond, now)
	excess = max(excess+unit, 0)
	last := word >> 32
	if elapsed > 0 {
		last = uint64(now)
	}
	return last<<32 | uint64(min(excess, maxBurst+unit)), excess
}

// mode is what count does.
type mode uint8

const (
	look   mode = iota // at what a request would meet, without counting it
	take               // count the request where it is within the burst
	charge             // count it in any case
)

// count returns the excess that a request of a client has, and whether it is within the burst. A client that is not in the
// table is counted from nought.
//
// hot: runs per request; no alloc, no lock.
func (b *buckets) count(hash uint64, r *rate, now uint32, m mode) (excess int64, within bool) {
	now = max(now, 1)
	set := b.set(hash)
	key := hash &^ 0xffff
	for tries := 0; ; tries++ {
		e, word, busy := find(set, key, r.packed)
		switch {
		case busy && tries < patience:
			continue // somebody may be writing this very key
		case e != nil:
			next, excess := r.next(word, now)
			if m == look || m == take && excess > r.burst {
				return excess, excess <= r.burst
			}
			if e.word.CompareAndSwap(word, next) {
				return excess, excess <= r.burst
			}
			continue
		case m == look:
			return 0, true
		}
		if assign(set, key|r.packed, uint64(now)<<32, now) || tries > 2*patience {
			return 0, true
		}
	}
}

// patience bounds how often a set is looked at anew, while others write to it. A write takes some nanoseconds, unless its
// thread is stopped amid them.
const patience = 1 << 10

// mirror sets the excess of a client, whatever it was.
func (b *buckets) mirror(hash uint64, r *rate, now uint32, excess int64) {
	now = max(now, 1)
	set := b.set(hash)
	key := hash &^ 0xffff
	word := uint64(now)<<32 | uint64(max(0, min(excess, maxBurst+unit)))
	for range patience {
		e, was, busy := find(set, key, r.packed)
		switch {
		case busy:
		case e != nil && e.word.CompareAndSwap(was, word), e == nil && assign(set, key|r.packed, word, now):
			return
		}
	}
}

func (b *buckets) set(hash uint64) []entry {
	i := hash % uint64(len(b.entries)/ways) * ways
	return b.entries[i : i+ways : i+ways]
}

// find returns the entry of a key, with its word. busy says that there is none, and that some are being given away. A limit
// whose rate was changed keeps its counts.
//
// hot: runs per request; no alloc, no lock.
func find(set []entry, key, packed uint64) (e *entry, word uint64, busy bool) {
	for i := range set {
		e := &set[i]
		word := e.word.Load()
		switch k := e.key.Load(); {
		case word == taken:
			busy = true
		case word != 0 && k&^0xffff == key:
			if k != key|packed {
				e.key.CompareAndSwap(k, key|packed)
			}
			return e, word, false
		}
	}
	return nil, 0, busy
}

// assign gives an entry of the set to a key, and reports whether it could.
func assign(set []entry, key, word uint64, now uint32) bool {
	var found *entry
	var was uint64
	least, longest := int64(1)<<62, int64(-1)
	for i := range set {
		e := &set[i]
		w := e.word.Load()
		if w == taken {
			continue
		}
		if w == 0 {
			found, was = e, 0
			break
		}
		excess, elapsed := left(w, unpackRate(e.key.Load()&0xffff), now)
		if excess = max(excess, 0); excess < least || excess == least && elapsed > longest {
			found, was, least, longest = e, w, excess, elapsed
		}
	}
	if found == nil || !found.word.CompareAndSwap(was, taken) {
		return false
	}
	found.key.Store(key)
	found.word.Store(word)
	return true
}
