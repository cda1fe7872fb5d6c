package servertest

import (
	"runtime"
	"testing"
)

// WantNoAllocations fails where do, which is one request that what names, allocates: fewer than one in fifty calls may. The
// runtime, netpoll and the clock's own goroutines allocate a little now and then, the more, the longer the calls take, so the
// best of five rounds of so many requests counts. Under the race detector the count means nothing.
func WantNoAllocations(t testing.TB, what string, requests int, do func()) {
	t.Helper()
	for range 300 {
		do()
	}
	most := uint64(requests / 50)
	least := uint64(requests)
	var before, after runtime.MemStats
	for round := 0; round < 5 && least > most; round++ {
		runtime.ReadMemStats(&before)
		for range requests {
			do()
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	if least > most {
		t.Errorf("%s: %d allocations in %d requests, want none", what, least, requests)
	}
}
