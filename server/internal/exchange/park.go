package exchange

import (
	"context"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// parkLimit bounds how long a Filter may keep an Exchange parked, nanoseconds.
const parkLimit = int64(60e9)

// Park runs block on a goroutine of its own and then, on the loop, the function that block returned,
// whose Verdict says how the Exchange goes on. block must not touch x: the client may leave, and x
// serve another request, while it runs. In that case its context ends, and the returned function is not called. Too many
// parked Exchanges at once, or one parked for over a minute or beyond the time that the whole request may take, fail with
// 503, 500 and 504. Request phase only.
func (x *Exchange) Park(block func(ctx context.Context) func(*Exchange) Verdict) Verdict {
	return x.core().park(block)
}

func (x *Core) park(block func(ctx context.Context) func(*Exchange) Verdict) Verdict {
	w := x.w
	switch {
	case x.down == nil || x.over || x.headDone:
		return Respond
	case w.response.x != nil || !x.asked():
		x.faulty = true
		return Park
	case x.parked:
		return Park // by the first
	}
	select {
	case w.parking <- struct{}{}:
	default:
		x.Fail(failParking)
		return Respond
	}
	x.parked = true
	deadline := w.Now() + parkLimit
	if x.edits.deadline != 0 {
		deadline = min(deadline, x.edits.deadline)
	}
	w.Set(&x.timer, deadline)
	a := x.alter()
	ctx, cancel := context.WithCancel(context.Background())
	a.unpark = cancel
	a.parks++
	serial, parks := x.serial, a.parks
	go func() {
		next := failPark
		defer func() {
			cancel()
			<-w.parking
			w.Post(func() {
				if x.serial == serial && x.parked && x.altered.parks == parks {
					x.resume(next)
				}
			})
		}()
		next = w.guarded(ctx, block)
	}()
	return Park
}

// resume goes on with a parked Exchange as next says.
func (x *Core) resume(next func(*Exchange) Verdict) {
	x.parked = false
	x.altered.unpark = nil
	x.timer.Stop()
	c, serial := x.down, x.serial
	switch verdict := x.askNext(next); {
	case x.serial != serial: // it has answered
	case x.parked: // again
	case x.faulty || verdict != Continue:
		x.w.faults.misused(unnamed("parked"), "request phase")
		x.Fail(failInternal)
	default:
		x.runFilters()
	}
	c.Pump()
}

// askNext calls what a parked Filter has left to do.
func (x *Core) askNext(next func(*Exchange) Verdict) Verdict {
	defer x.catch(unnamed("parked"), x.serial)
	return next(x.view())
}

// failPark is how an Exchange goes on where block brought nothing.
func failPark(x *Exchange) Verdict {
	x.core().Fail(failInternal)
	return Respond
}

// guarded runs block; where it panics, the Exchange fails and the process lives.
func (w *Loop) guarded(ctx context.Context, block func(context.Context) func(*Exchange) Verdict) (next func(*Exchange) Verdict) {
	defer func() {
		if reason := recover(); reason != nil {
			w.faults.panicked(unnamed("parked"), reason)
			next = failPark
		}
	}()
	if next = block(ctx); next == nil {
		w.faults.misused(unnamed("parked"), "what it ran while parked")
		return failPark
	}
	return next
}

// unpark tells what runs for a parked Exchange that it is not waited for.
func (x *Core) unpark() {
	if x.parked && x.altered.unpark != nil {
		x.altered.unpark()
		x.altered.unpark = nil
	}
}

// keepHead copies the request out of the scratch buffer, for as long as the Exchange is parked or Filters may ask for it.
func (x *Core) keepHead() {
	if x.kept != nil && x.req == &x.kept.Request {
		return // parked before
	}
	x.kept = x.w.Keep(x.req, x.head, x.early)
	x.req, x.head, x.early = &x.kept.Request, x.kept.Head, x.kept.early
}

// Head returns the request's index and the bytes it points into. In the request phase they are valid until Request
// returns; copy to keep. Behind it they are there for Routes whose Filters have other phases, and else nil.
func (x *Exchange) Head() (*message.Request, []byte) { return x.req, x.head }
