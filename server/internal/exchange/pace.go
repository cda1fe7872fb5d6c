package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// pace bounds how fast the response of one Exchange goes out, as limit_rate of nginx does: what may be sent grows from the
// start of the request, by the rate and a second of it in advance, and what a Filter lets go before does not count. The
// Endpoint is read no faster. Owned by the loop; unlinked before it is dropped.
type pace struct {
	timer     loop.Timer
	x         *Core
	perSecond int64 // bytes
	free      int64 // bytes that do not count
}

// leastPiece is the part of a second that is waited for, so that a slow response does not cost an event for each byte.
const leastPiece = 8

// Pace bounds how fast the response goes out, in bytes a second, behind its first free bytes. The last call counts; 0 is no
// bound. Request phase only.
func (x *Exchange) Pace(perSecond, free int64) {
	a := x.core().alter()
	if a.pace == nil {
		a.pace = &pace{x: x.core()}
		a.pace.timer.OnExpire = a.pace
	}
	a.pace.perSecond, a.pace.free = min(max(perSecond, 0), maxPace), max(free, 0)
}

// maxPace is no bound for any network, and its product with the nanoseconds of hours fits.
const maxPace = 1 << 40

// paced reports whether the response has a pace.
//
// hot: runs per read of a response; no alloc, no lock.
func (x *Core) paced() bool {
	return x.altered != nil && x.altered.pace != nil && x.altered.pace.perSecond > 0
}

// allowance returns how many bytes of the response may be read now. Where there are none, its timer goes on with it.
func (x *Core) allowance() int {
	p, w := x.altered.pace, x.w
	n, wait := p.next(w.Now()-x.started, x.sentBytes, int64(len(w.Scratch)))
	if wait > 0 {
		// The Endpoint isn't slow while it is not read.
		x.ExpectResponse()
		w.Set(&p.timer, w.Now()+wait)
	}
	return int(n)
}

// next returns how many bytes may go out, most at a time, of a response of which so many have; or how long to wait, in
// nanoseconds. elapsed is the time since the start of the request.
func (p *pace) next(elapsed, sent, most int64) (n, wait int64) {
	per := p.perSecond
	second := elapsed % 1e9
	may := per*(elapsed/1e9+1) + per/1e6*second/1e3 + per%1e6*second/1e9
	least := max(min(per/leastPiece, most), 1)
	left := may - max(sent-p.free, 0)
	if left >= least {
		return min(left, most), 0
	}
	missing := least - left
	return 0, max(missing/per*1e9+missing%per*1e6/per*1e3, 1)
}

// Expired implements loop.Expirer.
func (p *pace) Expired(*loop.Timer, int64) {
	if c := p.x.down; c != nil {
		c.Pump()
	}
}

// dropPace ends the pace of an Exchange that has ended.
func (w *Loop) dropPace(p *pace) {
	p.timer.Stop()
	w.Unlink(&p.timer)
	p.x = nil
}
