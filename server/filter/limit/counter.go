package limit

// Counts of requests under way: of clients, and of Routes. The table is like that of the buckets, but an entry in use is never
// given away: its index is what the end of a request is counted by. Where all entries of a set are in use a new client is
// refused, which takes 16 whose hashes agree in 16 bits: with 100,000 clients that have requests under way at once, one new
// client in some hundred million.

const (
	counterWays = 16
	places      = 1 << 20
)

// counters is the table. Safe for concurrent use.
type counters struct{ entries []entry } // word is a count

// enter counts one request more of a key, where it has less than most under way. at is what leave is told.
//
// hot: runs per request; no alloc, no lock.
func (c *counters) enter(hash uint64, most uint64) (at int, ok bool) {
	first := int(hash % uint64(len(c.entries)/counterWays) * counterWays)
	set := c.entries[first : first+counterWays : first+counterWays]
	key := hash | 1 // not that of an entry never used
	for tries := 0; ; tries++ {
		free, busy, again := -1, false, false
		for i := range set {
			e := &set[i]
			count := e.word.Load()
			switch k := e.key.Load(); {
			case count == taken:
				busy = true
			case k == key:
				if count >= most {
					return 0, false
				}
				if e.word.CompareAndSwap(count, count+1) {
					return first + i, true
				}
				again = true
			case count == 0 && free < 0:
				free = i
			}
			if again {
				break
			}
		}
		switch {
		case again || busy && tries < patience:
			continue
		case free < 0 || most == 0:
			return 0, false
		}
		e := &set[free]
		if !e.word.CompareAndSwap(0, taken) {
			continue
		}
		e.key.Store(key)
		e.word.Store(1)
		return first + free, true
	}
}

// leave counts one request less.
//
// hot: runs per request; no alloc, no lock.
func (c *counters) leave(at int) { c.entries[at].word.Add(^uint64(0)) }
