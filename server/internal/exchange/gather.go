package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// A Filter that has to see a request's body before it decides has the body gathered: the Exchange is parked while the client
// sends it. The bytes stand where those stand that came with the head, raw and validated, and go upstream with the head.
// What is gathered is held in memory, counted with what the Exchange holds, and can be replayed as a whole.

// gathering is what a Filter waits for.
type gathering struct {
	limit int64
	next  func(*Exchange, []byte, bool) Verdict
}

// BodyLength returns the length of the request's body as its head tells it; 0: there is none, and < 0: its end will tell.
func (x *Exchange) BodyLength() int64 {
	switch f := &x.reqBody; f.from {
	case FrameNone:
		return 0
	case FrameLength:
		return f.data + f.left
	}
	return -1
}

// ReadBody has the request's body read, up to limit bytes, and then calls next on the loop with what there is of it, without
// framing, and whether that is all of it. The bytes are valid during the call. The Verdict of next is that of the Filter,
// which may park or answer. A client that sends nothing for timeouts.body is answered 408. A request that opens a tunnel has
// no body. Request phase only, and not while a block of Park runs.
//
// The memory is the gateway's, for each request: limit is to be small where many clients can ask.
func (x *Exchange) ReadBody(limit int64, next func(x *Exchange, body []byte, whole bool) Verdict) Verdict {
	return x.core().readBody(limit, next)
}

func (x *Core) readBody(limit int64, next func(*Exchange, []byte, bool) Verdict) Verdict {
	switch {
	case x.down == nil || x.ending || x.headDone:
		return Respond
	case x.w.response.x != nil || !x.inRequestPhase():
		x.filterFailed = true
		return Park
	case x.parked:
		return Park // the first call decides
	case x.reqBody.done || x.reqBody.data > limit:
		return x.showBody(gathering{limit, next}, x.reqBody.done)
	}
	if x.awaits100 && !x.http10 {
		x.awaits100 = false
		x.sentBytes += int64(x.down.SendInterim(&message.Response{Code: 100}, nil))
	}
	x.parked = true
	x.alter().gathering = gathering{limit, next}
	if x.edits.deadline != 0 {
		x.w.Set(&x.timer, x.edits.deadline)
	}
	x.w.Again(x.down)
	return Park
}

// gathers reports that a Filter waits for the body.
func (x *Core) gathers() bool { return x.parked && x.altered.gathering.next != nil }

// gather reads the body that a Filter waits for, and then goes on with x. It returns false where x waits, or has ended.
func (x *Core) gather() bool {
	c, w, g := x.down, x.w, x.altered.gathering
	for round := 0; !x.reqBody.done && x.reqBody.data <= g.limit; round++ {
		if round == wire.Rounds {
			w.Again(c)
			return false
		}
		data := c.Held()
		held := len(data) > 0
		if !held {
			n := c.Read(w.Scratch)
			switch {
			case n > 0:
			case c.Ended() && !c.Lost() && x.reqBody.endless():
				return x.gathered(true)
			case c.Ended() || c.Lost():
				x.Cancel(FailAborted)
				return false
			default:
				c.Guard(wire.WaitBody, x.bodyTimeout())
				return false
			}
			data = w.Scratch[:n]
		}
		data = data[:min(len(data), wire.ScratchSize)]
		_, n, fail := x.takeRequestBody(data)
		if fail != nil {
			x.upClose = true
			x.Fail(fail)
			return false
		}
		c.Restart()
		k := x.kept
		k.early = append(k.early, data[:n]...)
		w.Buffers.Recount(&k.Lent, int64(cap(k.Head)+cap(k.early)))
		if held {
			c.Drop(n)
		} else {
			c.Keep(data[n:])
		}
	}
	return x.gathered(x.reqBody.done)
}

// gathered shows the Filter what was gathered, and goes on by its Verdict.
func (x *Core) gathered(whole bool) bool {
	c, serial, g := x.down, x.serial, x.altered.gathering
	x.altered.gathering = gathering{}
	x.early = x.kept.early
	c.Rest()
	x.proceed(func(*Exchange) Verdict { return x.showBody(g, whole) })
	return x.serial == serial && !x.parked
}

// showBody calls next with the body, without its framing.
func (x *Core) showBody(g gathering, whole bool) Verdict {
	body := x.early
	if x.reqBody.from == FrameChunked && len(body) > 0 {
		// The bytes were validated as they came.
		f := flow{from: FrameChunked}
		f.chunks.Reset()
		var err h1.Error
		if body, _, err = f.unchunk(body, make([]byte, 0, len(body))); err != h1.ErrNone {
			x.Fail(failChunk)
			return Respond
		}
	}
	if int64(len(body)) > g.limit {
		body, whole = body[:g.limit], false
	}
	return g.next(x.view(), body, whole)
}
