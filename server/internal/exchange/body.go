package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// takeRequestBody consumes the body bytes at the start of data, n of them, and returns the bytes that go out for them: valid
// as those of flow.take.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) takeRequestBody(data []byte) (out []byte, n int, fail *Failure) {
	if x.reqBody.from == FrameNone {
		return nil, 0, nil
	}
	out, n, err := x.reqBody.take(data, x.w.chunk)
	x.reqBytes += int64(n)
	x.awaits100 = x.awaits100 && n == 0
	switch err {
	case h1.ErrNone:
	case h1.ErrTrailerTooLarge:
		return out, n, failTrailer
	default:
		return out, n, failChunk
	}
	if x.bodyLimit > 0 && x.reqBody.data > x.bodyLimit {
		return out, n, failBodyTooLarge
	}
	return out, n, nil
}

// pumpRequest streams the request body from the client to the Endpoint while the Endpoint takes it. x may have ended when it
// returns.
func (x *Core) pumpRequest() {
	c, u, w := x.down, x.up, x.w
	for round := 0; !x.reqBody.done; round++ {
		if x.pipe != nil && x.pipeRequest {
			if !x.spliceRequest() {
				return
			}
			continue
		}
		if u.Pending() > 0 {
			return
		}
		if round == wire.Rounds {
			w.Again(c)
			return
		}
		data := c.Held()
		if len(data) == 0 && !x.awaits100 && x.spliceable(&x.reqBody) && x.startSplice(true) {
			continue
		}
		held := len(data) > 0
		if !held {
			n := c.Read(w.Scratch)
			if n == 0 {
				x.requestPaused()
				return
			}
			data = w.Scratch[:n]
		}
		if !x.forwardBody(data[:min(len(data), wire.ScratchSize)], held) {
			return
		}
	}
}

// requestPaused handles a read that brought no byte of the request's body: its end, where the stream's end tells that, the
// loss of the client, or nothing for now.
func (x *Core) requestPaused() {
	c := x.down
	switch {
	case c.Ended() && !c.Lost() && x.reqBody.endless():
		if !x.streamed && x.reqBody.by == nil && len(c.Trailers()) == 0 {
			end := x.reqBody.appendEnd(x.w.chunk[:0], nil)
			x.hold(end)
			x.up.Send(end, true)
			return
		}
		x.streamed = true
		if _, ok := x.endBody(&x.reqBody, x.up, c.Trailers()); !ok {
			x.refuseBody()
		}
	case c.Ended() || c.Lost():
		// Half a request is no request: the Endpoint must not take it for a whole one.
		x.Cancel(FailAborted)
	}
}

// forwardBody sends the body bytes in data, which the client's side holds or has just read, to the Endpoint. It returns
// false where the caller is to stop: x has ended, or the Endpoint's side is lost.
func (x *Core) forwardBody(data []byte, held bool) bool {
	c, u := x.down, x.up
	last := held && c.LastHeld()
	out, n, fail := x.takeRequestBody(data)
	if fail != nil {
		x.upClose = true
		x.Fail(fail)
		return false
	}
	c.Restart()
	out, ok := x.advance(&x.reqBody, out, last && n == len(c.Held()) && x.reqBody.endless())
	if !ok {
		x.refuseBody()
		return false
	}
	if !x.streamed {
		x.hold(out)
	}
	x.reqBody.pass(u, out)
	if held {
		c.Drop(n)
	} else {
		c.Keep(data[n:])
	}
	x.ExpectResponse()
	return !u.Lost() // a response that came before the loss may say why
}

// pumpResponse streams the response from the Endpoint to the client while the client takes it. x may have ended when it
// returns.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) pumpResponse() {
	c, u, w := x.down, x.up, x.w
	for round := 0; ; round++ {
		if !x.clientTakes() {
			return
		}
		if x.pipe != nil && !x.pipeRequest {
			if !x.spliceResponse() {
				return
			}
			continue
		}
		if x.respBody.done {
			x.complete()
			return
		}
		if round == wire.Rounds {
			w.Again(c)
			return
		}
		if !x.headDone {
			if !u.ReadHead(x) || x.down != c || x.up != u || x.tunnel {
				return
			}
			continue
		}
		room := len(w.Scratch)
		if x.paced() {
			if room = x.allowance(); room == 0 {
				return
			}
		} else if x.spliceable(&x.respBody) && x.startSplice(false) {
			continue
		}
		data := u.Held()
		held := len(data) > 0
		if !held {
			n := u.Read(w.Scratch[:room])
			if n == 0 {
				if u.Ended() || u.Lost() {
					x.EndpointEnded()
				}
				return
			}
			data = w.Scratch[:n]
		}
		data = data[:min(len(data), wire.ScratchSize, room)]
		c.Restart()
		x.ExpectResponse()
		n := x.relayBody(data, held && len(data) == len(u.Held()) && u.LastHeld())
		if x.down != c {
			return
		}
		if held {
			u.Drop(n)
		}
	}
}

// clientTakes flushes the bytes that wait for the client, and reports whether more of the response may be read. x has ended
// where the client is lost.
//
// hot: runs per read of a response; no alloc, no lock.
func (x *Core) clientTakes() bool {
	c := x.down
	if c.Lost() {
		x.Cancel(FailAborted)
		return false
	}
	before := c.Pending()
	if before == 0 || c.Flush() {
		return true
	}
	if c.Pending() < before {
		c.Restart()
	}
	return false
}

// relayBody sends the body bytes at the start of data to the client, and returns their number. last says that the body ends
// with data, where only the sender's end tells its end. x may have ended when it returns.
//
// hot: runs per read of a body; no alloc, no lock.
func (x *Core) relayBody(data []byte, last bool) (n int) {
	out, n, ok := x.takeResponseBody(data, last)
	x.sentBytes += int64(len(out))
	if !ok {
		x.down.Send(out, false)
		x.Cancel(failMalformed)
		return n
	}
	x.respBody.pass(x.down, out)
	return n
}

// takeResponseBody is takeRequestBody for the response. ok is false where the framing is broken.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) takeResponseBody(data []byte, last bool) (out []byte, n int, ok bool) {
	out, n, err := x.respBody.take(data, x.w.chunk)
	if err != h1.ErrNone {
		x.upClose = true
		return out, n, false
	}
	if n < len(data) {
		// Bytes behind the announced end belong to no response: the connection is not used again.
		x.upClose = true
	}
	if out, ok = x.advance(&x.respBody, out, last && x.respBody.endless()); !ok {
		x.upClose = true
	}
	return out, n, ok
}

// EndpointEnded handles the end of the Endpoint's bytes, or the loss of its side, before the response's end is known: the
// proper end of a body that lasts until the close, a replay, or a failure. x may have ended when it returns.
func (x *Core) EndpointEnded() {
	u := x.up
	if !x.respBody.endless() || u.Lost() {
		x.upClose = true
	}
	switch {
	case !x.headDone && x.deadlineNear():
		x.Fail(failRequestTimeout)
	case !x.headDone && x.lastInterim == 0 && len(u.Held()) == 0:
		x.AttemptFailed(failUpstreamReset, upstream.Reset)
	case !x.headDone:
		x.Fail(failUpstreamReset)
	case u.Lost() || !x.respBody.endless():
		x.Cancel(failUpstreamReset)
	default:
		n, ok := x.endBody(&x.respBody, x.down, u.Trailers())
		if !ok {
			x.upClose = true
			x.Cancel(failMalformed)
			return
		}
		x.sentBytes += int64(n)
		if x.down.Pending() == 0 {
			x.complete()
		}
	}
}

// complete ends an Exchange whose response is handed over whole.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) complete() { x.end(0, x.backend.Verdict(int(x.status))) }
