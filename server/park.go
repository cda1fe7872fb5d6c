package server

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// parkLimit bounds how long a Filter may keep an Exchange parked, nanoseconds.
const parkLimit = int64(60e9)

// Park runs block on a goroutine of its own and then, on the loop, the function that block returned,
// whose Verdict says how the Exchange goes on. block must not touch x: the client may leave, and x
// serve another request, while it runs. In that case the returned function is not called. Too many
// parked Exchanges at once, or one parked for over a minute, fail with 503 and 500. Request phase only.
func (x *Exchange) Park(block func() func(*Exchange) Verdict) Verdict {
	w := x.w
	select {
	case w.parking <- struct{}{}:
	default:
		x.fail(failOverloaded)
		return Respond
	}
	x.parked = true
	w.Set(&x.timer, w.Now()+parkLimit)
	serial := x.serial
	go func() {
		next := guarded(block)
		<-w.parking
		w.Post(func() {
			if x.serial != serial || !x.parked {
				return
			}
			x.parked = false
			x.timer.Stop()
			c := x.c
			if next(x) == Continue {
				x.runFilters()
			}
			c.pump()
		})
	}()
	return Park
}

// guarded runs block; where it panics, the Exchange fails and the process lives.
func guarded(block func() func(*Exchange) Verdict) (next func(*Exchange) Verdict) {
	defer func() {
		if recover() != nil {
			next = func(x *Exchange) Verdict {
				x.fail(failInternal)
				return Respond
			}
		}
	}()
	return block()
}

// keepHead copies the request out of the scratch buffer, for as long as the Exchange is parked.
func (x *Exchange) keepHead() {
	if x.kept != nil && x.req == &x.kept.req {
		return // parked before
	}
	x.kept = x.w.keepRequest(x.req, x.head, x.early)
	x.req, x.head, x.early = &x.kept.req, x.kept.head, x.kept.early
}

// Head returns the request's index and the bytes it points into, in the request phase only. They are
// valid until Request returns; copy to keep.
func (x *Exchange) Head() (*message.Request, []byte) { return x.req, x.head }
