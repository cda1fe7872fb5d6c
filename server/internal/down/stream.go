package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Stream is one stream of a client's HTTP/2 connection: the exchange.Down of its Exchange. Made, pooled and owned by its
// loop.
//
//	opened ──┬────────────────► its Exchange ──► the rest of the answer ──► free
//	         └──► deferred ──┘       │                     │                 ▲
//	         (see deferAfter)        └─────── reset, by either end ──────────┘
type Stream struct {
	wire.Stream
	w       *Loop
	session *Session
	x       *exchange.Core // nil once it has ended and only out remains
	wire.WaitTimer
	pastGrace bool                  // has waited for its client beyond the grace
	stalled   bool                  // and counts among the session's stalled
	deferred  *exchange.KeptRequest // the request, where its Exchange is still to begin, see deferAfter
	next      *Stream
	prev      *Stream
}

// newStream makes the Stream of st, which the client has opened.
func (w *Loop) newStream(s *Session, st *h2.Stream) *Stream {
	d := w.freeStreams.Take()
	if d == nil {
		d = &Stream{}
		d.Timer.OnExpire = d
	}
	d.Stream.Begin(&w.Loop.Loop, s.H2, st)
	d.w = w
	st.Owner = d
	d.session = s
	d.next, d.prev = s.streams.next, &s.streams
	d.next.prev, s.streams.next = d, d
	return d
}

// free releases the stream and its memory, and pools d.
func (d *Stream) free() {
	w := d.w
	d.next.prev, d.prev.next = d.prev, d.next
	d.unstall()
	d.session.touch()
	if d.deferred != nil {
		w.FreeRequest(d.deferred)
	}
	d.Stream.Free()
	d.Timer.Stop()
	*d = Stream{w: w, WaitTimer: wire.WaitTimer{Timer: d.Timer}, Stream: d.Stream}
	if w.freeStreams.Full() {
		w.Unlink(&d.Timer)
	}
	w.freeStreams.Put(d)
}

// Ready implements loop.Handler.
func (d *Stream) Ready(loop.Events) {
	d.Pump()
	if d.H2Stream != nil {
		d.session.touch()
	}
}

// Pump implements exchange.Down.
func (d *Stream) Pump() {
	switch {
	case d.deferred != nil:
	case d.H2Stream == nil: // freed since it was started, or since it asked for another turn
	case d.x != nil:
		d.x.Pump()
	case d.Flush():
		d.free()
	}
}

// pumpGathered pumps the small pieces that were stored during the read.
func (d *Stream) gathered() {
	d.Gathering = false
	d.Pump()
}

// receive takes a piece of the request's body.
func (d *Stream) receive(p []byte) {
	st := d.H2Stream
	d.Offer(p)
	if d.x != nil {
		d.x.Pump()
	}
	if d.H2Stream == st {
		d.Store()
	}
}

// Drop implements wire.Bytes. The output has a WINDOW_UPDATE then.
func (d *Stream) Drop(n int) {
	d.Stream.Drop(n)
	d.session.touch()
}

// Send implements wire.Bytes.
//
// hot: runs per piece of a body; no alloc, no lock.
func (d *Stream) Send(p []byte, last bool) {
	d.Stream.Send(p, last)
	d.session.touch()
}

// SendTrailers implements wire.Bytes.
func (d *Stream) SendTrailers(lines []byte) {
	d.Stream.SendTrailers(lines)
	d.session.touch()
}

// ShutWrite implements wire.Bytes.
func (d *Stream) ShutWrite() { d.Send(nil, true) }

// Peer implements exchange.Down.
func (d *Stream) Peer() *exchange.Client { return &d.session.c.Client }

// Form implements exchange.Down.
func (d *Stream) Form(*exchange.Core, exchange.Framing) exchange.Form { return exchange.FormBare }

// SendInterim implements exchange.Down.
func (d *Stream) SendInterim(resp *message.Response, head []byte) int {
	if d.H2.Congested() {
		return 0 // the client does not read, and no window bounds heads
	}
	d.H2.WriteInterim(d.H2Stream, int(resp.Code), h2.Outgoing{Head: &resp.Head, Bytes: head})
	d.session.touch()
	return len(head)
}

// SendHead implements exchange.Down.
//
// hot: runs per request; no alloc, no lock.
func (d *Stream) SendHead(x *exchange.Core, resp *message.Response, head, body []byte, last bool) int {
	w := d.w
	w.out = x.AppendResponseLines(w.out[:0], resp)
	if resp.Has(message.FieldContentLength) {
		// A length that the Backend did not send, such as 0, is left out: the end of the stream tells it.
		w.out = x.AppendResponseFraming(w.out)
	}
	end := last && len(body) == 0
	d.H2.WriteHead(d.H2Stream, int(resp.Code), h2.Outgoing{Head: &resp.Head, Bytes: head, Lines: w.out}, end)
	if !end {
		d.Send(body, last)
	}
	d.session.touch()
	return resp.HeadLen + len(body)
}

// Answer implements exchange.Down.
func (d *Stream) Answer(x *exchange.Core, status int, fields, body []byte) int {
	w := d.w
	w.out = w.AppendAnswerLines(w.out[:0], x, fields)
	if status >= 200 && status != 204 && status != 304 {
		w.out = h1.AppendUintField(w.out, "Content-Length", uint64(len(body)))
	} else {
		body = nil
	}
	if x.MethodIsHead() {
		body = nil
	}
	return d.respond(status, body)
}

// respond sends a head of the field lines in w.out, and the body.
func (d *Stream) respond(status int, body []byte) int {
	d.H2.WriteHead(d.H2Stream, status, h2.Outgoing{Lines: d.w.out}, len(body) == 0)
	if len(body) > 0 {
		d.Send(body, true)
	}
	d.session.touch()
	return len(d.w.out) + len(body)
}

// Refuse implements exchange.Down.
func (d *Stream) Refuse(x *exchange.Core, f *exchange.Failure) int {
	w := d.w
	w.refusal = message.AppendRefusal(w.refusal[:0], f.Status, f.Text)
	return d.Answer(x, f.Status, exchange.RefusalFields, w.refusal)
}

// SwitchTo implements exchange.Down.
func (d *Stream) SwitchTo(x *exchange.Core, resp *message.Response, head, rest []byte) int {
	d.Rest()
	d.H2.WriteHead(d.H2Stream, 101, h2.Outgoing{Head: &resp.Head, Bytes: head, Lines: x.AddedResponseFields()}, false)
	if len(rest) > 0 {
		d.Send(rest, false)
	}
	d.session.touch()
	return resp.HeadLen + len(rest)
}

// Multiplexed implements exchange.Down.
func (d *Stream) Multiplexed() bool { return true }

// Cut implements exchange.Down. CANCEL is a tunnel's reset: RFC 8441 section 5.
func (d *Stream) Cut(x *exchange.Core) {
	if !d.Gone {
		code := h2.InternalError
		if x.Tunnels() {
			code = h2.Cancel
		}
		d.Gone = true
		d.H2.Reset(d.H2Stream, code)
		d.session.touch()
	}
}

// Served implements exchange.Down: the stream is freed once the client has taken the rest of the response.
func (d *Stream) Served(*exchange.Core) {
	d.x = nil
	if !d.Gone && d.session.resets > 0 {
		d.session.resets--
	}
	if d.Gone || d.Pending() == 0 {
		d.free()
		return
	}
	d.Restart()
	d.Guard(wire.WaitSend, d.w.Settings.Send)
}

// Guard implements exchange.Down.
func (d *Stream) Guard(what wire.Wait, timeout int64) {
	if what == wire.WaitSend && d.x != nil {
		timeout = min(timeout, stallGrace)
	}
	d.WaitTimer.Guard(&d.w.Loop.Loop, what, timeout)
}

// Restart implements exchange.Down.
func (d *Stream) Restart() {
	d.unstall()
	d.session.lastMoved = d.w.Now()
	d.WaitTimer.Restart()
}

// Rest implements exchange.Down.
func (d *Stream) Rest() {
	d.unstall()
	d.WaitTimer.Rest()
}

// stallGrace is how long a stream may wait for its client before it counts as stalled, nanoseconds: the first part of
// timeouts.send.
const stallGrace = int64(5e9)

// stall handles a stream of which the client has taken nothing for stallGrace, and reports whether it did: the stream waits
// for the rest of timeouts.send. It counts as stalled if it is the only user of a connection to an Endpoint; beyond
// http2.stalled_streams of the client's connection it is shed. A stream that waits for its turn on a slow connection has not
// stalled.
func (d *Stream) stall() bool {
	w, s := d.w, d.session
	send := w.Settings.Send
	if x := d.x; x != nil {
		send = x.SendTimeout()
	}
	if d.pastGrace || d.x == nil || send <= stallGrace {
		return false
	}
	d.pastGrace = true
	d.Wait = wire.WaitSend
	w.Set(&d.Timer, w.Now()+send-stallGrace)
	turn := !d.H2Stream.Starved() && w.Now()-s.lastMoved < stallGrace
	if turn || s.c.Trusted || !d.holdsConn() {
		return true
	}
	d.stalled = true
	if s.stalled++; s.stalled > w.set.stalled {
		w.Shard.Shed[stats.ShedStalled]++
		d.shed()
	}
	return true
}

// unstall notes that the client has taken some of the stream.
func (d *Stream) unstall() {
	d.pastGrace = false
	if d.stalled {
		d.stalled = false
		d.session.stalled--
	}
}

// Expired implements loop.Expirer.
func (d *Stream) Expired(*loop.Timer, int64) {
	if d.H2Stream == nil {
		return
	}
	wait := d.Wait
	d.Wait = wire.WaitNothing
	switch {
	case wait == wire.WaitBody && d.x != nil:
		d.x.Fail(exchange.FailBodyTimeout)
	case wait == wire.WaitSend && d.stall():
	case wait == wire.WaitSend:
		d.Gone = true
		d.H2.Reset(d.H2Stream, h2.Cancel)
		d.session.touch()
		if d.x != nil {
			d.x.Cancel(exchange.FailStalled)
		} else {
			d.free()
		}
	}
}
