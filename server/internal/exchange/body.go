package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// takeRequestBody consumes the body bytes at the start of data, n of them, and returns what goes out for
// them.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) takeRequestBody(data []byte) (out []byte, n int, fail *Failure) {
	if x.reqBody.from == FrameNone {
		return nil, 0, nil
	}
	out, n, err := x.reqBody.take(data, x.w.chunk)
	x.reqBytes += int64(n)
	x.uninvited = x.uninvited && n == 0
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

// pumpRequest streams the request body from the client to the Endpoint while the Endpoint takes it.
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
		if len(data) == 0 && !x.uninvited && x.spliceable(&x.reqBody) && x.startSplice(true) {
			continue
		}
		held := len(data) > 0
		if !held {
			n := c.Read(w.Scratch)
			if n == 0 {
				switch {
				case c.Ended() && !c.Lost() && x.reqBody.endless():
					x.streamed = true
					if _, ok := x.endBody(&x.reqBody, u, c.Trailers()); !ok {
						x.refuseBody()
					}
				case c.Ended() || c.Lost():
					// The client gave up half-way: so must the Endpoint.
					x.Cancel(FailAborted)
				}
				return
			}
			data = w.Scratch[:n]
		}
		data = data[:min(len(data), wire.ScratchSize)]
		last := held && c.LastHeld()
		out, n, fail := x.takeRequestBody(data)
		if fail != nil {
			x.upClose = true
			x.Fail(fail)
			return
		}
		c.Restart()
		x.streamed = true
		out, ok := x.advance(&x.reqBody, out, last && n == len(c.Held()) && x.reqBody.endless())
		if !ok {
			x.refuseBody()
			return
		}
		x.reqBody.pass(u, out)
		if held {
			c.Drop(n)
		} else {
			c.Keep(data[n:])
		}
		x.ExpectResponse()
		if u.Lost() {
			return // the response may still say why
		}
	}
}

// pumpResponse streams the response from the Endpoint to the client while the client takes it.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) pumpResponse() {
	c, u, w := x.down, x.up, x.w
	for round := 0; ; round++ {
		if c.Lost() {
			x.Cancel(FailAborted)
			return
		}
		if before := c.Pending(); before > 0 && !c.Flush() {
			if c.Pending() < before {
				c.Restart()
			}
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
		if x.spliceable(&x.respBody) && x.startSplice(false) {
			continue
		}
		data := u.Held()
		held := len(data) > 0
		if !held {
			n := u.Read(w.Scratch)
			if n == 0 {
				if u.Ended() || u.Lost() {
					x.UpstreamEnds()
				}
				return
			}
			data = w.Scratch[:n]
		}
		data = data[:min(len(data), wire.ScratchSize)]
		c.Restart()
		x.ExpectResponse()
		n := x.relay(data, held && len(data) == len(u.Held()) && u.LastHeld())
		if x.down != c {
			return
		}
		if held {
			u.Drop(n)
		}
	}
}

// relay sends the body bytes at the start of data to the client, and returns how many there were; last
// says that no more will come. x may have ended when it returns.
//
// hot: runs per read of a body; no alloc, no lock.
func (x *Core) relay(data []byte, last bool) (n int) {
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
		// More than the response announced: whatever it is, nobody may get it.
		x.upClose = true
	}
	if out, ok = x.advance(&x.respBody, out, last && x.respBody.endless()); !ok {
		x.upClose = true
	}
	return out, n, ok
}

// A final response may be long in coming, and its Endpoint may say so again and again (102), or announce what
// it will need as it finds it (103): RFC 9110 section 15.2 has all that relayed. So what is bounded is not
// how many interim responses a request gets but their bytes, InterimBurst of them and then interimRate a
// second. A small one counts for InterimLeast, because it costs as much to handle. 256 come at once, and
// sixteen a second from then on: far more than whoever has something to say, and less than costs anybody.
const (
	InterimBurst = 4 * ResponseHeadLimit
	interimRate  = 16 << 10
	InterimLeast = 1 << 10
)

// InterimHead relays a 1xx head, except to a client that does not know it. It returns false where x has
// ended.
func (x *Core) InterimHead(resp *message.Response, head []byte) bool {
	now := x.w.Now()
	if x.informed > 0 {
		x.interim -= min(x.interim, int64(float64(now-x.informed)*interimRate/1e9))
	}
	x.informed = max(now, 1)
	if x.interim += max(int64(resp.HeadLen), InterimLeast); x.interim > InterimBurst {
		x.Malformed()
		return false
	}
	if !resp.KeepAlive {
		x.upClose = true // it announces a body, which it must not have, or the close
	}
	if resp.Code == 100 {
		x.uninvited = false
	} else if x.down.Pending() > ResponseHeadLimit {
		return true // the client does not read, and this is no answer
	}
	if !x.http10 {
		x.sentBytes += int64(x.down.SendInterim(resp, head))
	}
	return true
}

// Malformed fails x because of a response that nobody can make sense of.
func (x *Core) Malformed() {
	x.upClose = true
	x.Fail(failMalformed)
}

// FinalHead sends the final head, and the body bytes that came with it: rest, which is the last of the
// body where last is true. data begins with the head that resp indexes. It returns how many bytes of
// rest it took.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) FinalHead(resp *message.Response, data, rest []byte, last bool) (n int) {
	c, w := x.down, x.w
	if x.extended && resp.Code < 300 {
		// To such a client it would say that the Upgrade was accepted: RFC 8441 section 5.
		x.Malformed()
		return len(rest)
	}
	if x.upgrade {
		// Whether the Endpoint has left HTTP/1 all the same, or is about to, nobody can see.
		x.upClose = true
	}
	x.headTime = w.Now()
	x.hideServer(resp)
	if !x.runResponse(resp, data) {
		return len(rest)
	}
	x.status = resp.Code
	from, length := FrameNone, int64(-1)
	switch resp.BodyKind(x.method) {
	case message.BodyNone:
		if resp.Code != 204 {
			length = resp.ContentLength // of what a GET would have brought
		}
		if resp.Chunked {
			// Who thinks of chunks where there is no body, as servers do for HEAD and 304, may send the last
			// chunk too, and later than that could be seen.
			x.upClose = true
		}
	case message.BodyLength:
		from, length = FrameLength, resp.ContentLength
	case message.BodyChunked:
		from = x.up.UnknownLength()
	case message.BodyUntilClose:
		x.upClose = true
		from = FrameClose
	}
	outward := from
	var by *transforms
	if len(x.policy.chain.body) > 0 {
		if by = x.transformResponse(resp, data); x.faulty {
			if by != nil {
				w.freeTransforms(by)
			}
			x.upClose = true
			x.Fail(failInternal)
			return len(rest)
		}
	}
	var status []byte
	if x.translated() {
		var ok bool
		if status, ok = x.webResponse(resp, data, last && len(rest) == 0); ok {
			by = w.addTransform(by, &webEncoder{x.altered.web.answered})
		}
	}
	if by != nil {
		length = -1 // it is not known any more
		if from == FrameNone {
			w.freeTransforms(by)
		} else {
			x.respBody.by, outward = by, FrameStream
		}
	}
	to := c.Form(x, outward)
	if from == FrameLength && x.up.UnknownLength() == FrameStream {
		from = FrameStream // h2 has checked the length already; trailers may follow
	}
	x.respBody.begin(from, to, resp.ContentLength)
	if from == FrameChunked {
		x.respBody.rule.Nominate(&resp.Head, data)
	}
	x.respBody.length = length
	x.respBody.trailers = append(x.respBody.trailers, status...)
	if !resp.KeepAlive {
		x.upClose = true
	} else if hint := resp.Value(data, message.FieldKeepAlive); hint != nil {
		if seconds := keepAliveTimeout(hint); seconds > 0 {
			x.attempt.Endpoint.LimitIdle(seconds * 1e9 * 7 / 8)
		}
	}
	body, n, ok := x.takeResponseBody(rest, last)
	x.headDone = true
	x.sentBytes += int64(c.SendHead(x, resp, data, body, ok && x.respBody.whole()))
	if !ok {
		x.Cancel(failMalformed)
	} else if x.respBody.done && len(x.respBody.trailers) > 0 {
		c.SendTrailers(x.respBody.trailers)
	}
	return n
}

// UpstreamEnds handles the end of the Endpoint's bytes before the end of the response is known.
func (x *Core) UpstreamEnds() {
	u := x.up
	if !x.respBody.endless() || u.Lost() {
		x.upClose = true
	}
	switch {
	case !x.headDone && x.expiring():
		x.Fail(failRequestTimeout)
	case !x.headDone && x.informed == 0 && len(u.Held()) == 0:
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
func (x *Core) complete() { x.end(0, upstream.OK) }

// keepAliveTimeout returns the seconds of "timeout=5, max=100", or 0: when the Endpoint closes idle
// connections. The field has no standard; Apache, Node.js and others send it.
func keepAliveTimeout(hint []byte) (seconds int64) {
	const name = "timeout="
	i := bytes.Index(hint, []byte(name))
	if i < 0 {
		return 0
	}
	for _, c := range hint[i+len(name):] {
		if c < '0' || c > '9' || seconds > 1e6 {
			break
		}
		seconds = seconds*10 + int64(c-'0')
	}
	return seconds
}
