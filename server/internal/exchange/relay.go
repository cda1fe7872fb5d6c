package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// How response heads go from the Endpoint's side to the client's.

// The relay of interim responses is bounded by their bytes: InterimBurst at once, then interimRate a second, a small one
// counted as InterimLeast because it costs as much to handle as a larger one. Their number is not bounded, because RFC 9110
// section 15.2 has all of them relayed, and an Endpoint that takes long may send 102 again and again, or 103 as it finds
// what the client will need. 256 come at once, and sixteen a second from then on: far more than any useful one, and cheap
// enough.
const (
	InterimBurst = 4 * ResponseHeadLimit
	interimRate  = 16 << 10
	InterimLeast = 1 << 10
)

// RelayInterim relays a 1xx head, except to a client that does not know it. head begins with the bytes that resp indexes. It
// returns false where x has ended.
func (x *Core) RelayInterim(resp *message.Response, head []byte) bool {
	now := x.w.Now()
	if x.lastInterim > 0 {
		x.interimBytes -= min(x.interimBytes, int64(float64(now-x.lastInterim)*interimRate/1e9))
	}
	x.lastInterim = max(now, 1)
	if x.interimBytes += max(int64(resp.HeadLen), InterimLeast); x.interimBytes > InterimBurst {
		x.FailMalformed()
		return false
	}
	if !resp.KeepAlive {
		x.upClose = true // the head announces the close, or a body, which it must not have
	}
	if resp.Code == 100 {
		x.awaits100 = false
	} else if x.down.Pending() > ResponseHeadLimit {
		return true // the client does not read, and this is no answer
	}
	if !x.http10 {
		x.sentBytes += int64(x.down.SendInterim(resp, head))
	}
	return true
}

// FailMalformed handles a malformed response of the Endpoint: by a replay where the Policy asks for that, or else x fails.
func (x *Core) FailMalformed() {
	x.upClose = true
	if x.mayRetry(policy.RetryInvalidHeader) {
		x.AttemptFailed(failMalformed, upstream.Malformed)
		return
	}
	x.Fail(failMalformed)
}

// RelayFinal sends the final head to the client, and rest, the body bytes that came with it; last says that the body ends
// with rest. data begins with the head that resp indexes. It returns how many bytes of rest it took; x may have ended.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) RelayFinal(resp *message.Response, data, rest []byte, last bool) (n int) {
	if x.extended && resp.Code < 300 {
		// To a client of HTTP/2 a 2xx would say that the Upgrade was accepted: RFC 8441 section 5.
		x.FailMalformed()
		return len(rest)
	}
	if x.upgrade {
		// The Endpoint may leave HTTP/1 although it refuses: nothing shows whether it does.
		x.upClose = true
	}
	if x.policy.retry.on&policy.RetryStatuses != 0 && x.retriesStatus(resp, rest) {
		return len(rest)
	}
	x.headTime = x.w.Now()
	x.hide(resp, data)
	if !x.runResponse(resp, data) {
		x.detourFrom(resp, data, rest)
		return len(rest)
	}
	x.status = resp.Code
	if !x.frameResponse(resp, data, last && len(rest) == 0) {
		return len(rest)
	}
	x.noteReuse(resp, data)
	body, n, ok := x.takeResponseBody(rest, last)
	x.headDone = true
	x.sentBytes += int64(x.down.SendHead(x, resp, data, body, ok && x.respBody.whole()))
	if !ok {
		x.Cancel(failMalformed)
	} else if x.respBody.done && len(x.respBody.trailers) > 0 {
		x.down.SendTrailers(x.respBody.trailers)
	}
	return n
}

// frameResponse settles the Framing, the Transforms and the Form of the response's body. only says that the head is all of
// the response. It returns false where a Filter failed: x has ended.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) frameResponse(resp *message.Response, data []byte, only bool) bool {
	w, b := x.w, &x.respBody
	from, length := x.framingOf(resp)
	var by *transforms
	if len(x.policy.chain.body) > 0 {
		if by = x.transformResponse(resp, data); x.filterFailed {
			if by != nil {
				w.freeTransforms(by)
			}
			x.upClose = true
			x.Fail(failInternal)
			return false
		}
	}
	var status []byte
	if x.translated() {
		var ok bool
		if status, ok = x.webResponse(resp, data, only); ok {
			by = w.addTransform(by, step{&webEncoder{x.altered.web.answered}, grpcWeb{}, stats.OtherFilter})
		}
	}
	outward := from
	if by != nil {
		length = -1 // not known any more
		if from == FrameNone {
			w.freeTransforms(by)
		} else {
			b.by, outward = by, FrameStream
		}
	}
	to := x.down.Form(x, outward)
	if from == FrameLength && x.up.UnknownLength() == FrameStream {
		from = FrameStream // h2 has checked the length already; trailers may follow
	}
	b.reset(from, to, resp.ContentLength)
	if from == FrameChunked {
		b.rule.Nominate(&resp.Head, data)
	}
	b.length = length
	b.trailers = append(b.trailers, status...)
	return true
}

// framingOf returns the framing that the response's body comes in, and the length that the head to the client tells; -1:
// none.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) framingOf(resp *message.Response) (from Framing, length int64) {
	from, length = FrameNone, -1
	switch resp.BodyKind(x.method) {
	case message.BodyNone:
		if resp.Code != 204 {
			length = resp.ContentLength // of the body that a GET would have brought
		}
		if resp.Chunked {
			// A server that announces chunks where there is no body, as servers do for HEAD and 304, may send the last chunk
			// too, and later than it could be seen.
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
	return from, length
}

// noteReuse notes whether the Endpoint closes the connection behind this response, or how soon when it is idle.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) noteReuse(resp *message.Response, data []byte) {
	if !resp.KeepAlive || x.policy.connection == policy.ConnectionClose {
		x.upClose = true
	} else if hint := resp.Value(data, message.FieldKeepAlive); hint != nil {
		if seconds := keepAliveTimeout(hint); seconds > 0 {
			x.attempt.Endpoint.LimitIdle(seconds * 1e9 * 7 / 8)
		}
	}
}

// keepAliveTimeout returns the seconds of "timeout=5, max=100", after which the Endpoint closes idle connections; 0: the
// hint names none. The field has no standard; Apache, Node.js and others send it.
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
