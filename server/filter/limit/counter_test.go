package limit

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// TestCounters: a key has as many under way as it may, and no more, whatever other keys of its set do.
func TestCounters(t *testing.T) {
	c := &counters{make([]entry, counterWays)}
	var held [][]int
	for key := range uint64(counterWays) {
		var mine []int
		for {
			at, ok := c.enter(key<<32, 3)
			if !ok {
				break
			}
			mine = append(mine, at)
		}
		if held = append(held, mine); len(mine) != 3 {
			t.Errorf("key %d has %d under way, want 3", key, len(mine))
		}
	}
	if _, ok := c.enter(99<<32, 3); ok {
		t.Error("a key enters a set without room")
	}
	for _, at := range held[5] {
		c.leave(at)
	}
	at, ok := c.enter(99<<32, 3)
	if !ok || at != held[5][0] {
		t.Errorf("got %d %v, want the place that was left", at, ok)
	}
	if _, ok := c.enter(5<<32, 3); ok {
		t.Error("a key enters a set without room")
	}
	if _, ok := c.enter(6<<32, 4); !ok {
		t.Error("a limit that was raised has no effect")
	}
	if _, ok := c.enter(6<<32, 0); ok {
		t.Error("a limit of nothing lets one in")
	}
}

// TestCountersTogether: many loops at once; none is over the limit, and nothing is left when all have ended.
func TestCountersTogether(t *testing.T) {
	const most, keys = 3, 40
	c := &counters{make([]entry, 4*counterWays)}
	var mu sync.Mutex
	under := map[uint64]int{}
	var all sync.WaitGroup
	for seed := range uint64(8) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 5000 {
				key := r.Uint64N(keys) * 0x9e3779b97f4a7c15
				at, ok := c.enter(key, most)
				if !ok {
					continue
				}
				mu.Lock()
				if under[key]++; under[key] > most+1 { // two entries of one key for a moment, where both began at once
					t.Errorf("%d under way", under[key])
				}
				mu.Unlock()
				mu.Lock()
				under[key]--
				mu.Unlock()
				c.leave(at)
			}
		})
	}
	all.Wait()
	for i := range c.entries {
		if n := c.entries[i].word.Load(); n != 0 {
			t.Errorf("entry %d counts %d", i, n)
		}
	}
}
