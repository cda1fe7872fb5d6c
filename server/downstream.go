package server

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// downStream is one stream of a client's HTTP/2 connection: the downSide of its Exchange. Made and pooled
// by its worker; owned by the loop.
//
//	opened ──┬────────────► its Exchange ──► the rest of the answer ──► free
//	         └──► late ──┘       │                     │                 ▲
//	       (see deferAfter)      └─────── reset, by either end ──────────┘
type downStream struct {
	wire.Stream
	w       *downLoop
	session *downSession
	x       *core // nil once it has ended and only out remains
	wire.WaitTimer
	graced bool      // has waited for its client beyond the grace
	waited bool      // and counts among the session's stalled
	late   *keptHead // the request, where its Exchange is still to begin, see deferAfter
	next   *downStream
	prev   *downStream
}

// newDownStream makes the side of a stream that the client has opened.
func (w *downLoop) newDownStream(s *downSession, st *h2.Stream) *downStream {
	d := w.freeD.Take()
	if d == nil {
		d = &downStream{}
		d.Timer.OnExpire = d
	}
	d.Stream.Begin(&w.coreLoop.Loop, s.H2, st)
	d.w = w
	st.Owner = d
	d.session = s
	d.next, d.prev = s.streams.next, &s.streams
	d.next.prev, s.streams.next = d, d
	return d
}

// free gives the stream and its memory back.
func (d *downStream) free() {
	w := d.w
	d.next.prev, d.prev.next = d.prev, d.next
	d.unstall()
	d.session.touch()
	if d.late != nil {
		w.freeKept(d.late)
	}
	d.Stream.Free()
	d.Timer.Stop()
	*d = downStream{w: w, WaitTimer: wire.WaitTimer{Timer: d.Timer}, Stream: d.Stream}
	if w.freeD.Full() {
		w.Unlink(&d.Timer)
	}
	w.freeD.Put(d)
}

// Ready implements loop.Handler.
func (d *downStream) Ready(loop.Events) {
	d.pump()
	if d.H2Stream != nil {
		d.session.touch()
	}
}

// pump implements downSide.
func (d *downStream) pump() {
	switch {
	case d.late != nil:
	case d.H2Stream == nil: // freed: answered at once, or since it asked for another turn
	case d.x != nil:
		d.x.pump()
	case d.Flush():
		d.free()
	}
}

// gathered passes on what was stored.
func (d *downStream) gathered() {
	d.Gathering = false
	d.pump()
}

// receive takes a piece of the request's body.
func (d *downStream) receive(p []byte) {
	st := d.H2Stream
	d.Offer(p)
	if d.x != nil {
		d.x.pump()
	}
	if d.H2Stream == st {
		d.Store()
	}
}

// Drop implements wire.Bytes: the window that opens has to be told.
func (d *downStream) Drop(n int) {
	d.Stream.Drop(n)
	d.session.touch()
}

// Send implements wire.Bytes.
//
// hot: runs per piece of a body; no alloc, no lock.
func (d *downStream) Send(p []byte, last bool) {
	d.Stream.Send(p, last)
	d.session.touch()
}

func (d *downStream) SendTrailers(lines []byte) {
	d.Stream.SendTrailers(lines)
	d.session.touch()
}

func (d *downStream) ShutWrite() { d.Send(nil, true) }

func (d *downStream) peer() *client { return &d.session.c.client }

// form implements downSide.
func (d *downStream) form(*core, framing) form { return formBare }

// sendInterim implements downSide.
func (d *downStream) sendInterim(resp *message.Response, head []byte) int {
	if d.H2.Congested() {
		return 0 // its connection takes nothing, and no window bounds heads
	}
	d.H2.WriteInterim(d.H2Stream, int(resp.Code), h2.Outgoing{Head: &resp.Head, Bytes: head})
	d.session.touch()
	return len(head)
}

// sendHead implements downSide.
//
// hot: runs per request; no alloc, no lock.
func (d *downStream) sendHead(x *core, resp *message.Response, head, body []byte, last bool) int {
	w := d.w
	w.out = x.appendResponseLines(w.out[:0], resp)
	if resp.Has(message.FieldContentLength) {
		// A length of 0 is left out otherwise: the end of the stream says the same.
		w.out = x.appendResponseFraming(w.out)
	}
	end := last && len(body) == 0
	d.H2.WriteHead(d.H2Stream, int(resp.Code), h2.Outgoing{Head: &resp.Head, Bytes: head, Lines: w.out}, end)
	if !end {
		d.Send(body, last)
	}
	d.session.touch()
	return resp.HeadLen + len(body)
}

// answer implements downSide.
func (d *downStream) answer(x *core, status int, fields, body []byte) int {
	w := d.w
	w.out = w.appendOwn(w.out[:0], x, fields)
	if status >= 200 && status != 204 && status != 304 {
		w.out = h1.AppendUintField(w.out, "Content-Length", uint64(len(body)))
	} else {
		body = nil
	}
	if x.forHead() {
		body = nil
	}
	return d.respond(status, body)
}

// respond sends a head of the field lines in w.out, and the body.
func (d *downStream) respond(status int, body []byte) int {
	d.H2.WriteHead(d.H2Stream, status, h2.Outgoing{Lines: d.w.out}, len(body) == 0)
	if len(body) > 0 {
		d.Send(body, true)
	}
	d.session.touch()
	return len(d.w.out) + len(body)
}

// refuse implements downSide.
func (d *downStream) refuse(x *core, f *failure) int {
	w := d.w
	w.refusal = message.AppendRefusal(w.refusal[:0], f.status, f.text)
	return d.answer(x, f.status, refusalFields, w.refusal)
}

// switchTo implements downSide.
func (d *downStream) switchTo(x *core, resp *message.Response, head, rest []byte) int {
	d.Rest()
	d.H2.WriteHead(d.H2Stream, 101, h2.Outgoing{Head: &resp.Head, Bytes: head, Lines: x.addedToResponse()}, false)
	if len(rest) > 0 {
		d.Send(rest, false)
	}
	d.session.touch()
	return resp.HeadLen + len(rest)
}

func (d *downStream) multiplexed() bool { return true }

// cut implements downSide. CANCEL is a tunnel's reset: RFC 8441, section 5.
func (d *downStream) cut(x *core) {
	if !d.Gone {
		code := h2.InternalError
		if x.tunnels() {
			code = h2.Cancel
		}
		d.Gone = true
		d.H2.Reset(d.H2Stream, code)
		d.session.touch()
	}
}

// served implements downSide: the stream goes, but not before what the client has not taken yet.
func (d *downStream) served(*core) {
	d.x = nil
	if !d.Gone && d.session.resets > 0 {
		d.session.resets--
	}
	if d.Gone || d.Pending() == 0 {
		d.free()
		return
	}
	d.Restart()
	d.guard(wire.WaitSend, d.w.settings.send)
}

// guard implements downSide.
func (d *downStream) guard(what wire.Wait, timeout int64) {
	if what == wire.WaitSend && d.x != nil {
		timeout = min(timeout, stallGrace)
	}
	d.WaitTimer.Guard(&d.w.coreLoop.Loop, what, timeout)
}

// Restart and Rest implement downSide.
func (d *downStream) Restart() {
	d.unstall()
	d.session.moved = d.w.Now()
	d.WaitTimer.Restart()
}

func (d *downStream) Rest() {
	d.unstall()
	d.WaitTimer.Rest()
}

// stallGrace is how long a stream may wait for its client before it counts as stalled. It is a part of
// timeouts.send, which is the whole of it.
const stallGrace = int64(5e9)

// stalls takes note that the client has taken nothing of the stream for the grace, and reports whether it
// may go on to wait: for the rest of timeouts.send, as long as no more than http2.stalled_streams of its
// connection do so, each with a connection to an Endpoint for itself. A stream that only waits for its turn
// on a slow connection has not stalled.
func (d *downStream) stalls() bool {
	w, s := d.w, d.session
	send := w.settings.send
	if x := d.x; x != nil {
		send = x.sendTimeout()
	}
	if d.graced || d.x == nil || send <= stallGrace {
		return false
	}
	d.graced = true
	d.Wait = wire.WaitSend
	w.Set(&d.Timer, w.Now()+send-stallGrace)
	turn := !d.H2Stream.Starved() && w.Now()-s.moved < stallGrace
	if turn || s.c.trusted || !d.holdsConn() {
		return true
	}
	d.waited = true
	if s.stalled++; s.stalled > w.set.stalled {
		w.shard.Shed[stats.ShedStalled]++
		d.giveUp()
	}
	return true
}

// unstall takes note that it does not wait any more.
func (d *downStream) unstall() {
	d.graced = false
	if d.waited {
		d.waited = false
		d.session.stalled--
	}
}

// Expired implements loop.Expirer.
func (d *downStream) Expired(*loop.Timer, int64) {
	if d.H2Stream == nil {
		return
	}
	wait := d.Wait
	d.Wait = wire.WaitNothing
	switch {
	case wait == wire.WaitBody && d.x != nil:
		d.x.fail(failBodyTimeout)
	case wait == wire.WaitSend && d.stalls():
	case wait == wire.WaitSend:
		d.Gone = true
		d.H2.Reset(d.H2Stream, h2.Cancel)
		d.session.touch()
		if d.x != nil {
			d.x.cancel(failStalled)
		} else {
			d.free()
		}
	}
}
