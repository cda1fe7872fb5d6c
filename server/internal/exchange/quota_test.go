package exchange

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestPermits: however many loops begin and end requests of one source, no more are in flight than may be, all that may be
// can be where one loop asks for them, and what is given back can be had again.
func TestPermits(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{1, 2, 10, 100, 1000} {
		const loops = 4
		var all atomic.Int64
		var quotas [loops]Quota
		for i := range quotas {
			quotas[i] = Quota{all: &all, loops: loops}
		}
		var inFlight, peak atomic.Int64
		var wg sync.WaitGroup
		for i := range loops {
			wg.Go(func() {
				q := &quotas[i]
				mine := 0
				for n := range 20_000 {
					if n%3 != 2 {
						if q.admit(most) {
							mine++
							if now := inFlight.Add(1); now > peak.Load() {
								peak.Store(now)
							}
						}
					} else if mine > 0 {
						inFlight.Add(-1)
						mine--
						q.finish()
					}
				}
				for ; mine > 0; mine-- {
					inFlight.Add(-1)
					q.finish()
				}
				q.GiveBackSpare()
			})
		}
		wg.Wait()
		if peak.Load() > most {
			t.Errorf("%d in flight, at most %d may be", peak.Load(), most)
		}
		if n := all.Load(); n != 0 {
			t.Errorf("%d permits are gone", n)
		}
		n := int64(0)
		for quotas[0].admit(most) {
			n++
		}
		if n != most {
			t.Errorf("one loop gets %d of %d", n, most)
		}
	}
}
