package server

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// How a downConn sends heads: the HTTP/1.1 part of downSide.

// joinLimit is the body size up to which it is copied behind the head, rather than given to the kernel
// as a second element to gather. A judgement: the two were not compared.
const joinLimit = 4 << 10

// form implements downSide. An HTTP/1.0 client has no place for trailers, and takes the close for the end
// of a body of unknown length.
func (c *downConn) form(x *core, from framing) form {
	switch {
	case from == frameNone || from == frameLength:
		return formBare
	case x.oldClient():
		c.ends(endingAfterResponse)
		return formBare
	case from == frameChunked:
		return formSame
	}
	return formChunks
}

// sendInterim implements downSide.
func (c *downConn) sendInterim(resp *message.Response, head []byte) int {
	w := c.w
	w.out = message.AppendStatusLine(w.out[:0], int(resp.Code))
	w.out = resp.AppendFields(w.out, head, false)
	w.out = append(w.out, '\r', '\n')
	c.Write(w.out)
	return len(w.out)
}

// sendHead implements downSide.
//
// hot: runs per request; no alloc, no lock.
func (c *downConn) sendHead(x *core, resp *message.Response, head, body []byte, _ bool) int {
	w := c.w
	if !x.requestDone() || !x.keepAlive() || w.draining {
		c.ends(endingAfterResponse)
	}
	w.out = h1.AppendResponse(w.out[:0], resp, head)
	w.out = x.appendResponseLines(w.out, resp)
	w.out = x.appendResponseFraming(w.out)
	switch {
	case c.ending != endingNot:
		w.out = append(w.out, "Connection: close\r\n"...)
	case x.oldClient():
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, '\r', '\n')
	n := len(w.out) + len(body)
	if len(body) > joinLimit {
		c.Write2(w.out, body)
		return n
	}
	w.out = append(w.out, body...)
	c.Write(w.out)
	return n
}

// keeps reports whether the connection goes on behind an answer of our own.
func (c *downConn) keeps(x *core) bool {
	return x.keepAlive() && x.requestDone() && c.ending == endingNot && !c.w.draining
}

// answer implements downSide.
func (c *downConn) answer(x *core, status int, fields, body []byte) int {
	w := c.w
	keep := c.keeps(x)
	switch {
	case keep:
	case x.requestDone():
		c.ends(endingAfterResponse)
	default:
		c.ends(endingUnread)
	}
	w.out = message.AppendStatusLine(w.out[:0], status)
	w.out = w.appendOwn(w.out, x, fields)
	if status >= 200 && status != 204 && status != 304 {
		w.out = h1.AppendUintField(w.out, "Content-Length", uint64(len(body)))
	} else {
		body = nil
	}
	switch {
	case !keep:
		w.out = append(w.out, "Connection: close\r\n"...)
	case x.oldClient():
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, '\r', '\n')
	if !x.forHead() {
		w.out = append(w.out, body...)
	}
	c.Write(w.out)
	return len(w.out)
}

// respondError sends an answer of the gateway's own, to x where there is one, and returns its length. Unless c is to be kept
// alive, nothing more is read of it.
func (c *downConn) respondError(x *core, status int, text string, keepAlive, head bool) int {
	w := c.w
	if !keepAlive {
		c.ends(endingUnread)
	}
	w.refusal = w.appendOwn(w.refusal[:0], x, nil)
	w.out = h1.AppendDatedErrorResponse(w.out[:0], status, text, w.refusal, keepAlive, head)
	c.Write(w.out)
	return len(w.out)
}

// refuse implements downSide.
func (c *downConn) refuse(x *core, f *failure) int {
	return c.respondError(x, f.status, f.text, c.keeps(x), x.forHead())
}

// switchTo implements downSide.
func (c *downConn) switchTo(x *core, resp *message.Response, head, rest []byte) int {
	w := c.w
	c.ends(endingAfterResponse)
	c.Timer.Stop()
	c.Restart()
	w.out = message.AppendStatusLine(w.out[:0], 101)
	w.out = resp.AppendFields(w.out, head, false)
	w.out = append(w.out, x.addedToResponse()...)
	w.out = append(w.out, "Connection: upgrade\r\nUpgrade: "...)
	w.out = append(w.out, x.protocolSwitchedTo(resp, head)...)
	w.out = append(w.out, "\r\n\r\n"...)
	n := len(w.out) + len(rest)
	c.Write2(w.out, rest)
	return n
}

func (c *downConn) multiplexed() bool { return false }

// cut implements downSide. Where the end of the connection would look like the end of the body, only a
// reset tells the client that it is not.
func (c *downConn) cut(x *core) {
	c.ends(endingCut)
	if c.Broken {
		return
	}
	if x.tunnels() {
		c.Flush()
		c.Reset()
		return
	}
	if x.endsByClose() {
		c.Reset()
	}
	c.Flush()
}
