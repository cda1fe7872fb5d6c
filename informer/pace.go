package informer

import (
	"context"
	"time"
)

// The holdoff bounds the share of a core spent on building while changes keep coming: after a build, none
// starts for twice its cost, a third at most, and at least for minHoldoff, because each publish also costs
// every event loop a little. An event that comes after the holdoff, that is when idle, is built at once.
const (
	minHoldoff = 2 * time.Millisecond
	maxHoldoff = 100 * time.Millisecond
)

// pace decides when the next build may start. The zero value: at once. Used by one goroutine.
type pace struct {
	next time.Time // monotonic, so that a clock that jumps does not matter
}

// wait returns when a build may start, or false when ctx ended before.
func (p *pace) wait(ctx context.Context) bool {
	d := time.Until(p.next)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// done starts the holdoff after a build that took so long.
func (p *pace) done(took time.Duration) {
	p.next = time.Now().Add(min(max(2*took, minHoldoff), maxHoldoff))
}
