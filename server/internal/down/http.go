package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// How a Conn sends heads: the HTTP/1.1 part of exchange.Down.

// joinLimit is the size of a body up to which it is copied behind the head, bytes; a larger one is given to the kernel as a
// second element to gather. A judgement: the two were not compared.
const joinLimit = 4 << 10

// Form implements exchange.Down. An HTTP/1.0 client has no place for trailers, and takes the close for the end of a body of
// unknown length.
func (c *Conn) Form(x *exchange.Core, from exchange.Framing) exchange.Form {
	switch {
	case from == exchange.FrameNone || from == exchange.FrameLength:
		return exchange.FormBare
	case x.HTTP10():
		c.ends(endingAfterResponse)
		return exchange.FormBare
	case from == exchange.FrameChunked:
		return exchange.FormSame
	}
	return exchange.FormChunks
}

// SendInterim implements exchange.Down.
func (c *Conn) SendInterim(resp *message.Response, head []byte) int {
	w := c.w
	w.out = message.AppendStatusLine(w.out[:0], int(resp.Code))
	w.out = resp.AppendFields(w.out, head, false)
	w.out = append(w.out, '\r', '\n')
	c.Write(w.out)
	return len(w.out)
}

// SendHead implements exchange.Down.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) SendHead(x *exchange.Core, resp *message.Response, head, body []byte, last bool) int {
	w := c.w
	if !x.RequestDone() || !x.KeepAlive() || w.draining {
		c.ends(endingAfterResponse)
	}
	c.FinFollows = last && x.RequestDone() && c.ending != endingNot
	w.out = h1.AppendResponse(w.out[:0], resp, head)
	w.out = x.AppendResponseLines(w.out, resp)
	w.out = x.AppendResponseFraming(w.out)
	switch {
	case c.ending != endingNot:
		w.out = append(w.out, "Connection: close\r\n"...)
	case x.HTTP10():
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

// keepsAlive reports whether the connection goes on behind an answer of the gateway's own.
func (c *Conn) keepsAlive(x *exchange.Core) bool {
	return x.KeepAlive() && x.RequestDone() && c.ending == endingNot && !c.w.draining
}

// Answer implements exchange.Down.
func (c *Conn) Answer(x *exchange.Core, status int, fields, body []byte) int {
	w := c.w
	keep := c.keepsAlive(x)
	switch {
	case keep:
	case x.RequestDone():
		c.ends(endingAfterResponse)
		c.FinFollows = true
	default:
		c.ends(endingUnread)
	}
	w.out = message.AppendStatusLine(w.out[:0], status)
	w.out = w.AppendAnswerLines(w.out, x, fields)
	if status >= 200 && status != 204 && status != 304 {
		w.out = h1.AppendUintField(w.out, "Content-Length", uint64(len(body)))
	} else {
		body = nil
	}
	switch {
	case !keep:
		w.out = append(w.out, "Connection: close\r\n"...)
	case x.HTTP10():
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, '\r', '\n')
	if !x.MethodIsHead() {
		w.out = append(w.out, body...)
	}
	c.Write(w.out)
	return len(w.out)
}

// respondError sends a refusal, and returns its length. x is nil where the head did not become an Exchange; head says that
// the method is HEAD. Without keepAlive c ends unread.
func (c *Conn) respondError(x *exchange.Core, status int, text string, keepAlive, head bool) int {
	w := c.w
	if !keepAlive {
		c.ends(endingUnread)
	}
	w.refusal = w.AppendAnswerLines(w.refusal[:0], x, nil)
	w.out = h1.AppendErrorResponse(w.out[:0], status, text, w.refusal, keepAlive, head)
	c.Write(w.out)
	return len(w.out)
}

// Refuse implements exchange.Down.
func (c *Conn) Refuse(x *exchange.Core, f *exchange.Failure) int {
	return c.respondError(x, f.Status, f.Text, c.keepsAlive(x), x.MethodIsHead())
}

// SwitchTo implements exchange.Down.
func (c *Conn) SwitchTo(x *exchange.Core, resp *message.Response, head, rest []byte) int {
	w := c.w
	c.ends(endingAfterResponse)
	c.Timer.Stop()
	c.Restart()
	w.out = message.AppendStatusLine(w.out[:0], 101)
	w.out = resp.AppendFields(w.out, head, false)
	w.out = append(w.out, x.AddedResponseFields()...)
	w.out = append(w.out, "Connection: upgrade\r\nUpgrade: "...)
	w.out = append(w.out, x.ProtocolSwitchedTo(resp, head)...)
	w.out = append(w.out, "\r\n\r\n"...)
	n := len(w.out) + len(rest)
	c.Write2(w.out, rest)
	return n
}

// Multiplexed implements exchange.Down.
func (c *Conn) Multiplexed() bool { return false }

// Cut implements exchange.Down. Where the client would take the end of the connection for the end of the body, it is sent a
// reset.
func (c *Conn) Cut(x *exchange.Core) {
	c.ends(endingCut)
	if c.Broken {
		return
	}
	if x.Tunnels() {
		c.Flush()
		c.Reset()
		return
	}
	if x.EndsByClose() {
		c.Reset()
	}
	c.Flush()
}
