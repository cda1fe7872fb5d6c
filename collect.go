package sluice

import (
	"context"
	"math"
	"runtime"
	"runtime/metrics"
	"time"
)

// After a burst, memory goes back soon. The heap grows to twice what is in use before it is collected, and the runtime
// keeps what it has grown to for the next time. Because the request path allocates nothing, the cycles that would tell the
// runtime of less use are minutes away: ten thousand idle TLS connections, opened one after the other, had 61 MiB, and
// have 42 to 50 when two cycles follow. It takes two: the first still counts the garbage as memory that was needed.
//
// Cycles take processor time from requests, so there are none but after a burst, for much memory, and for no more than
// one hundredth of the time. debug.FreeOSMemory would do the same at once, but it can't be stopped meanwhile, some
// milliseconds in which the world can't be stopped either.
const (
	// burstBytes is how much is allocated between two ticks of a burst: 200 TLS handshakes.
	burstBytes = 8 << 20
	// quietBytes is the most that is allocated between two ticks once it is over.
	quietBytes = 1 << 20
	// spareBytes is memory that is not worth the work, beside half of what is in use.
	spareBytes = 4 << 20

	collectTick = time.Second
	collectGap  = 10 * time.Second
)

// heapUse is what the runtime says of the heap.
type heapUse struct {
	allocated uint64 // since the process began
	resident  uint64 // not given back to the system
	live      uint64 // of it that the last cycle found in use
}

// collector decides when to collect. The zero value is ready.
type collector struct {
	bursting  bool
	allocated uint64 // as of the last tick
	next      time.Time
}

// tick is called each collectTick, and reports whether it is time for two cycles.
func (c *collector) tick(now time.Time, use heapUse) bool {
	grown := use.allocated - c.allocated
	c.allocated = use.allocated
	switch {
	case grown >= burstBytes:
		c.bursting = true
		return false
	case grown > quietBytes, !c.bursting, now.Before(c.next):
		return false
	}
	c.bursting = false
	return use.resident > use.live+use.live/2+spareBytes
}

// collected notes how long the cycles took.
func (c *collector) collected(now time.Time, took time.Duration) {
	c.next = now.Add(max(collectGap, 100*took))
}

// collectGarbage runs cycles after bursts, until ctx ends. Where GOGC is off it does nothing.
func collectGarbage(ctx context.Context, ticks <-chan time.Time) {
	samples := []metrics.Sample{
		{Name: "/gc/gogc:percent"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	var c collector
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		metrics.Read(samples)
		value := func(i int) uint64 { return samples[i].Value.Uint64() }
		if value(0) == math.MaxUint64 {
			continue
		}
		begun := time.Now()
		if c.tick(begun, heapUse{value(1), value(3) + value(4) + value(5), value(2)}) {
			runtime.GC()
			runtime.GC()
			c.collected(time.Now(), time.Since(begun))
		}
	}
}
