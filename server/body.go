package server

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/upstream"
)

// firstRead is how much is read while a response head is expected: a head with 16 KiB of body.
const firstRead = 20 << 10

// rounds bounds how many reads one Exchange gets before the others have their turn.
const rounds = 8

// takeRequestBody consumes the body bytes at the start of data and returns how many there are.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) takeRequestBody(data []byte) (n int, fail *failure) {
	switch x.reqFraming {
	case frameNone:
		x.requestDone = true
		return 0, nil
	case frameLength:
		n = int(min(int64(len(data)), x.reqLeft))
		x.reqLeft -= int64(n)
		x.requestDone = x.reqLeft == 0
	case frameChunked:
		var err h1.Error
		var done bool
		n, done, err = x.reqChunks.Feed(data)
		switch err {
		case h1.ErrNone:
		case h1.ErrTrailerTooLarge:
			return n, failTrailer
		default:
			return n, failChunk
		}
		x.requestDone = done
	}
	if x.reqFraming == frameChunked {
		x.bodyBytes = x.reqChunks.Data()
	} else {
		x.bodyBytes += int64(n)
	}
	x.reqBytes += int64(n)
	if x.bodyLimit > 0 && x.bodyBytes > x.bodyLimit {
		return n, failBodyTooLarge
	}
	return n, nil
}

// pumpRequest streams the request body from the client to the Endpoint while the Endpoint takes it.
func (x *Exchange) pumpRequest() {
	c, u, w := x.c, x.u, x.w
	for round := 0; !x.requestDone; round++ {
		if x.pipe != nil && x.pipe.up {
			if !x.spliceRequest() {
				return
			}
			continue
		}
		if u.out.len() > 0 {
			return
		}
		if round == rounds {
			w.loop.Again(c)
			return
		}
		if c.in.len() == 0 && x.spliceable(x.reqFraming, x.reqLeft) && x.startSplice(true) {
			continue
		}
		data := c.in.bytes()
		held := len(data) > 0
		if !held {
			n := c.read(w.scratch)
			if n == 0 {
				if c.eof || c.broken {
					// The client gave up half-way: so must the Endpoint.
					x.cancel(failAborted)
				}
				return
			}
			data = w.scratch[:n]
		}
		n, fail := x.takeRequestBody(data)
		if fail != nil {
			x.upClose = true
			x.fail(fail)
			return
		}
		c.progress()
		x.streamed = true
		u.write(data[:n])
		if held {
			w.buffers.consume(&c.in, n)
		} else {
			w.buffers.append(&c.in, data[n:])
		}
		x.await(x.timeout(x.policy.read, w.set.read))
		if u.broken {
			return // the response may still say why
		}
	}
}

// pumpResponse streams the response from the Endpoint to the client while the client takes it.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) pumpResponse() {
	c, u, w := x.c, x.u, x.w
	for round := 0; ; round++ {
		if c.broken {
			x.cancel(failAborted)
			return
		}
		if before := c.out.len(); before > 0 && !c.flush() {
			if c.out.len() < before {
				c.progress()
			}
			return
		}
		if x.pipe != nil && !x.pipe.up {
			if !x.spliceResponse() {
				return
			}
			continue
		}
		if x.respDone {
			x.complete()
			return
		}
		if round == rounds {
			w.loop.Again(c)
			return
		}
		if x.headDone && x.spliceable(x.respFrame, x.respLeft) && x.startSplice(false) {
			continue
		}
		into := w.scratch
		if !x.headDone && w.set.splice > 0 {
			// The rest of a large body is to move by splice, so little of it is copied with the head.
			into = into[:firstRead]
		}
		n := u.read(into)
		if n == 0 {
			if u.eof || u.broken {
				x.upstreamEnds()
			}
			return
		}
		c.progress()
		x.await(x.timeout(x.policy.read, w.set.read))
		data := w.scratch[:n]
		if x.headDone {
			x.relayBody(nil, data)
		} else if !x.responseHead(data) {
			return
		}
		if c.x != x || x.u != u || x.tunnel {
			return
		}
	}
}

// responseHead handles bytes that come before the body. It returns false when the Exchange ended or
// changed.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) responseHead(data []byte) bool {
	c, u, w := x.c, x.u, x.w
	if u.in.len() > 0 {
		line := bytes.IndexByte(data, '\n') >= 0
		w.buffers.append(&u.in, data)
		data = u.in.bytes()
		if !line && len(data) < responseHeadLimit {
			return true // one parse per line at most, however the head trickles in
		}
	}
	for {
		w.resp.Reset()
		status := h1.ParseResponse(&w.resp, data, w.set.responseLimits)
		switch {
		case status == h1.Incomplete:
			if u.in.len() == 0 {
				w.buffers.append(&u.in, data)
			}
			return true
		case status != h1.Done:
			x.upClose = true
			x.fail(failMalformed)
			return false
		}
		code := w.resp.Code
		if code == 101 {
			if !x.upgrade || !w.resp.Upgrade || w.resp.UpgradeH2C {
				x.upClose = true
				x.fail(failMalformed)
				return false
			}
			x.switchProtocols(data)
			return false
		}
		if code >= 200 {
			break
		}
		// An interim response goes through as it is, except to a client that does not know it.
		if x.interim++; x.interim > maxInterim {
			x.upClose = true
			x.fail(failMalformed)
			return false
		}
		if !x.oldClient {
			w.out = appendInterimHead(w.out[:0], &w.resp.Response, data)
			x.sentBytes += int64(len(w.out))
			c.write(w.out)
		}
		rest := data[w.resp.HeadLen:]
		if u.in.len() > 0 {
			w.buffers.consume(&u.in, w.resp.HeadLen)
			rest = u.in.bytes()
		}
		if len(rest) == 0 {
			return true
		}
		data = rest
	}
	kept := u.in
	u.in = buffer{}
	x.finalHead(data)
	w.buffers.release(&kept)
	return c.x == x // x may have ended, and then belongs to nobody
}

// maxInterim bounds the 1xx responses to one request.
const maxInterim = 8

// finalHead sends the final head, and the body bytes that came with it. data begins with the head
// in w.resp.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) finalHead(data []byte) {
	c, w := x.c, x.w
	resp := &w.resp.Response
	x.headTime = w.loop.Now()
	x.status = resp.Code
	switch resp.BodyKind(x.method) {
	case message.BodyNone:
		x.respFrame, x.respDone = frameNone, true
	case message.BodyLength:
		x.respFrame, x.respLeft = frameLength, resp.ContentLength
		x.respDone = x.respLeft == 0
	case message.BodyChunked:
		x.respFrame = frameChunked
		x.respChunks.Reset()
		if x.oldClient {
			x.respFrame = frameUnchunk
		}
	case message.BodyUntilClose:
		x.upClose = true
		x.respFrame = frameRechunk
		if x.oldClient {
			x.respFrame = frameClose
		}
	}
	if !resp.KeepAlive {
		x.upClose = true
	} else if hint := fieldValue(&resp.Head, data, message.FieldKeepAlive); hint != nil {
		if seconds := keepAliveTimeout(hint); seconds > 0 {
			x.endpoint.LimitIdle(seconds * 1e9 * 7 / 8)
		}
	}
	if !x.requestDone || !x.keepAlive || w.draining || x.respFrame == frameUnchunk || x.respFrame == frameClose {
		c.closeAfter = true
	}
	x.runResponse()
	w.out = appendResponseHead(w.out[:0], x, resp, data)
	x.headDone = true
	x.relayBody(w.out, data[resp.HeadLen:])
}

// joinLimit is the body size up to which it is copied behind the head, rather than given to the kernel
// as a second element to gather. A judgement: the two were not compared.
const joinLimit = 4 << 10

// relayBody sends head and the body bytes of data to the client in one write.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) relayBody(head, data []byte) {
	c, w := x.c, x.w
	n := len(data)
	switch x.respFrame {
	case frameNone:
		n = 0
	case frameLength:
		n = int(min(int64(n), x.respLeft))
		x.respLeft -= int64(n)
		x.respDone = x.respLeft == 0
	case frameChunked:
		var done bool
		var err h1.Error
		n, done, err = x.respChunks.Feed(data)
		if err != h1.ErrNone {
			x.upClose = true
			c.write2(head, data[:n])
			x.cancel(failMalformed)
			return
		}
		x.respDone = done
	case frameUnchunk:
		c.write(head)
		x.sentBytes += int64(len(head))
		x.unchunk(data)
		return
	case frameRechunk:
		if n > 0 {
			w.chunk = h1.AppendChunkHeader(append(w.chunk[:0], head...), n)
			w.chunk = append(append(w.chunk, data...), '\r', '\n')
			x.sentBytes += int64(len(w.chunk))
			c.write(w.chunk)
			return
		}
	}
	if n < len(data) {
		// More than the response announced: whatever it is, nobody may get it.
		x.upClose = true
	}
	body := data[:n]
	x.sentBytes += int64(len(head) + n)
	switch {
	case len(head) == 0:
		c.write(body)
	case n == 0:
		c.write(head)
	case n <= joinLimit:
		w.out = append(head, body...)
		c.write(w.out)
	default:
		c.write2(head, body)
	}
}

// unchunk takes the framing off for an HTTP/1.0 client. Trailers are dropped: it has no place for
// them.
func (x *Exchange) unchunk(data []byte) {
	for len(data) > 0 {
		kind, part, n, err := x.respChunks.Next(data)
		if err != h1.ErrNone {
			x.upClose = true
			x.cancel(failMalformed)
			return
		}
		data = data[n:]
		switch kind {
		case h1.PartData:
			x.sentBytes += int64(len(part))
			x.c.write(part)
		case h1.PartDone:
			x.respDone = true
			if len(data) > 0 {
				x.upClose = true
			}
			return
		}
	}
}

// upstreamEnds handles the end of the Endpoint's bytes before the end of the response.
func (x *Exchange) upstreamEnds() {
	u := x.u
	x.upClose = true
	switch {
	case !x.headDone && u.in.len() == 0 && x.interim == 0:
		x.attemptFailed(failUpstreamReset, upstream.Reset)
	case !x.headDone:
		x.fail(failUpstreamReset)
	case u.broken:
		x.cancel(failUpstreamReset)
	case x.respFrame == frameRechunk:
		x.c.write(lastChunk)
		x.sentBytes += int64(len(lastChunk))
		x.respDone = true
		x.complete()
	case x.respFrame == frameClose:
		x.respDone = true
		x.complete()
	default:
		x.cancel(failUpstreamReset)
	}
}

var lastChunk = []byte("0\r\n\r\n")

// complete ends an Exchange whose response is handed over whole. Where the request is not complete,
// the client is not going to be read from again.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) complete() {
	if !x.requestDone {
		x.c.closeAfter = true
		x.c.unread = true
	}
	x.end(0, upstream.OK)
}

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
