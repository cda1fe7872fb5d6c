package upstream

import "github.com/sluice-gateway/sluice/routing"

// The breaker of a Backend: where many of its attempts fail, whichever Endpoints they go to, it is sent none for a while.
// Then one request is let through, whose end decides:
//
//	closed --part of failures--> open --time, request--> trying --answered--> closed
//	                              ^---------failed---------'
//
// Attempts are counted in two halves of breakerWindow, of which the older is forgotten when the newer is full. An Endpoint's
// ejection is about one that is worse than the others; the breaker is about all of them.

const breakerWindow = int64(10e9)

type breakerState uint8

const (
	breakerClosed breakerState = iota
	breakerOpen
	breakerTrying
)

// breaker is the zero value for a Backend that has none.
type breaker struct {
	state breakerState
	// until is when an open one lets a request through, or a trying one the next, because the last has not ended; length is
	// of the last opening, 0 where an answer came since.
	until, length int64
	// half is when the newer half of the window began. made and failed are of the older and of the newer one.
	half         int64
	made, failed [2]uint32
	opened       uint64
}

// Refuses reports whether b's breaker keeps requests away now. The request that it lets through has to begin an attempt.
//
// hot: runs per request to a Backend with a breaker; no alloc, no lock.
func (b *Backend) Refuses(now int64) bool {
	k := &b.breaker
	if k.state == breakerClosed {
		return false
	}
	if now < k.until {
		return true
	}
	k.state = breakerTrying
	k.until = now + max(k.length, minLease)
	return false
}

// count notes the end of an attempt.
func (k *breaker) count(now int64, outcome Outcome, o *routing.Breaker, vary *random) {
	if outcome == Canceled || outcome == Stale {
		if k.state == breakerTrying {
			k.until = now // it has shown nothing
		}
		return
	}
	failed := outcome.Failed()
	switch {
	case k.state == breakerTrying && failed:
		k.open(now, o, vary)
		return
	case k.state == breakerTrying:
		*k = breaker{half: now, opened: k.opened}
		return
	case k.state == breakerOpen:
		return // an attempt from before
	}
	if now-k.half >= breakerWindow/2 {
		k.made, k.failed = [2]uint32{k.made[1]}, [2]uint32{k.failed[1]}
		if now-k.half >= breakerWindow {
			k.made[0], k.failed[0] = 0, 0
		}
		k.half = now
	}
	k.made[1]++
	if !failed {
		return
	}
	k.failed[1]++
	made, bad := uint64(k.made[0])+uint64(k.made[1]), uint64(k.failed[0])+uint64(k.failed[1])
	if made >= uint64(o.Requests) && bad*100 >= made*uint64(o.Percent) {
		k.open(now, o, vary)
	}
}

func (k *breaker) open(now int64, o *routing.Breaker, vary *random) {
	k.state = breakerOpen
	if k.length = min(2*k.length, o.Max); k.length == 0 {
		k.length = min(o.Base, o.Max)
	}
	k.until = now + k.length*3/4 + int64(vary.below(int(k.length/2)+1))
	k.made, k.failed = [2]uint32{}, [2]uint32{}
	k.opened++
}
