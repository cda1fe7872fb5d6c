package exchange

import (
	"context"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// parkLimit bounds how long a Filter may keep an Exchange parked, nanoseconds.
const parkLimit = int64(60e9)

// Park runs block on a goroutine of its own and then, on the loop, the function that block returned, whose Verdict decides
// how the Exchange goes on. block must not touch x: while it runs the client may leave, and x serve another request. In that
// case its context ends, and the returned function is not called. An Exchange fails with 503 where too many are parked, with
// 500 once it was parked for a minute, and with 504 at the deadline of the whole request. Request phase only.
func (x *Exchange) Park(block func(ctx context.Context) func(*Exchange) Verdict) Verdict {
	return x.core().park(block)
}

func (x *Core) park(block func(ctx context.Context) func(*Exchange) Verdict) Verdict {
	w := x.w
	switch {
	case x.down == nil || x.ending || x.headDone:
		return Respond
	case w.response.x != nil || !x.inRequestPhase():
		x.filterFailed = true
		return Park
	case x.parked:
		return Park // the first block decides
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
	serial, parks, by := x.serial, a.parks, x.asked().filter
	w.Await(1)
	go func() {
		next := failPark
		defer func() {
			cancel()
			<-w.parking
			w.Post(func() {
				w.Await(-1)
				if x.serial == serial && x.parked && x.altered.parks == parks {
					x.resume(next)
				}
			})
		}()
		next = w.runBlocking(ctx, by, block)
	}()
	return Park
}

// resume goes on with a parked Exchange by the Verdict of next, and moves what can be moved.
func (x *Core) resume(next func(*Exchange) Verdict) {
	c := x.down
	x.proceed(next)
	c.Pump()
}

// proceed goes on with a parked Exchange by the Verdict of next.
func (x *Core) proceed(next func(*Exchange) Verdict) {
	x.parked = false
	x.altered.unpark = nil
	x.timer.Stop()
	serial, by := x.serial, x.asked()
	n := x.w.Shard.Filter(by.count)
	switch verdict := x.askNext(by.filter, next); {
	case x.serial != serial: // next has answered
		n.Responded++
	case x.parked: // next has parked it again
		n.Parked++
	case x.filterFailed || verdict != Continue:
		n.Failed++
		x.w.faults.misused(by.filter, "request phase, once it was parked")
		x.Fail(failInternal)
	default:
		n.Continued++
		x.runFilters()
	}
}

// asked returns the Filter whose request phase began last.
func (x *Core) asked() placed[RequestFilter] { return x.policy.chain.request[x.passed-1] }

// askNext calls the function that Park's block returned.
func (x *Core) askNext(by Filter, next func(*Exchange) Verdict) Verdict {
	defer x.catch(by, x.serial)
	return next(x.view())
}

// failPark fails an Exchange whose block panicked, or returned no function.
func failPark(x *Exchange) Verdict {
	x.core().Fail(failInternal)
	return Respond
}

// runBlocking calls block on its goroutine. A panic fails the Exchange, and not the process.
func (w *Loop) runBlocking(ctx context.Context, by Filter, block func(context.Context) func(*Exchange) Verdict) (next func(*Exchange) Verdict) {
	defer func() {
		if reason := recover(); reason != nil {
			w.faults.panicked(by, reason)
			next = failPark
		}
	}()
	if next = block(ctx); next == nil {
		w.faults.misused(by, "what it ran while parked")
		return failPark
	}
	return next
}

// unpark ends the context of a parked Exchange's block, whose result is not needed any more.
func (x *Core) unpark() {
	if x.parked && x.altered.unpark != nil {
		x.altered.unpark()
		x.altered.unpark = nil
	}
}

// keepHead copies the request out of the scratch buffer, for the time that the Exchange is parked.
func (x *Core) keepHead() {
	if x.kept != nil && x.req == &x.kept.Request {
		return // parked before
	}
	x.kept = x.w.KeepRequest(x.req, x.head, x.early)
	x.req, x.head, x.early = &x.kept.Request, x.kept.Head, x.kept.early
}

// Head returns the request's index and the bytes that it indexes. In the request phase they are valid until Request returns;
// copy to keep. Behind it they are valid during the call, on Routes whose Filters have other phases, and nil otherwise.
func (x *Exchange) Head() (*message.Request, []byte) { return x.req, x.head }
