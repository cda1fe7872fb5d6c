package sluice

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestCollector: memory goes back once after a burst, if it is much, and not otherwise.
func TestCollector(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	type step struct {
		grown, resident, live uint64 // MiB; grown is since the last step
		want                  bool
	}
	for _, test := range []struct {
		name        string
		every, took time.Duration
		steps       []step
	}{
		{"a burst and then quiet", time.Second, 0, []step{{0, 10, 10, false}, {50, 60, 10, false}, {50, 110, 60, false}, {0, 110, 60, true}, {0, 66, 60, false}}},
		{"a burst that tails off", time.Second, 0, []step{{50, 60, 10, false}, {5, 65, 10, false}, {2, 67, 10, false}, {1, 68, 10, true}}},
		{"work without bursts", time.Second, 0, []step{{5, 45, 10, false}, {5, 50, 10, false}, {0, 50, 10, false}, {0, 50, 10, false}}},
		{"a burst without end", time.Second, 0, []step{{50, 60, 30, false}, {50, 60, 30, false}, {50, 60, 30, false}, {50, 60, 30, false}}},
		{"little memory", time.Second, 0, []step{{9, 7, 2, false}, {0, 7, 2, false}, {0, 7, 2, false}}},
		{"little of much", time.Second, 0, []step{{50, 540, 490, false}, {0, 540, 490, false}, {0, 540, 490, false}}},
		{"a second burst, too soon", time.Second, 0, []step{{50, 60, 10, false}, {0, 60, 10, true}, {50, 60, 10, false}, {0, 60, 10, false}, {0, 60, 10, false}}},
		{"a second burst, later", 4 * time.Second, 0, []step{{50, 60, 10, false}, {0, 60, 10, true}, {50, 60, 10, false}, {0, 60, 10, false}, {0, 60, 10, true}, {0, 60, 10, false}}},
		{"cycles that take long", 20 * time.Second, 300 * time.Millisecond, []step{{50, 60, 10, false}, {0, 60, 10, true}, {50, 60, 10, false}, {0, 60, 10, true}, {50, 60, 10, false}, {0, 60, 10, true}}},
		{"cycles that take very long", 20 * time.Second, time.Second, []step{{50, 60, 10, false}, {0, 60, 10, true}, {50, 60, 10, false}, {0, 60, 10, false}, {0, 60, 10, false}, {0, 60, 10, false}, {0, 60, 10, true}}},
	} {
		now, allocated := time.Now(), uint64(0)
		var c collector
		for i, s := range test.steps {
			now = now.Add(test.every)
			allocated += s.grown * mib
			got := c.tick(now, heapUse{allocated, s.resident * mib, s.live * mib})
			if got != s.want {
				t.Errorf("%s, step %d: %v", test.name, i, got)
			}
			if got {
				c.collected(now, test.took)
			}
		}
	}
}

var garbage []byte

// TestCollectGarbage: the runtime's figures are those that are meant.
func TestCollectGarbage(t *testing.T) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(10_000)) // no cycle while garbage is made
	for range 256 {
		garbage = make([]byte, 1<<20)
	}
	garbage = nil
	cycles := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumForcedGC
	}
	before := cycles()
	ticks := make(chan time.Time)
	go collectGarbage(t.Context(), ticks)
	for range 2 { // other tests may allocate meanwhile, and then it isn't quiet yet
		ticks <- time.Now()
	}
	for deadline := time.Now().Add(time.Minute); cycles() < before+2; {
		if time.Now().After(deadline) {
			t.Fatal("no cycles followed the burst")
		}
		select {
		case ticks <- time.Now():
		case <-time.After(10 * time.Millisecond):
		}
	}
}
