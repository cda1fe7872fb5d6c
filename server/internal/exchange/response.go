package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Response is a final head on its way to the client, as ResponseFilters see and change it. It is valid during the call that
// is given it. Fields of framing and of one connection (Connection, Keep-Alive, Transfer-Encoding, Content-Length, Upgrade)
// are the Exchange's own: adding or dropping one changes nothing. Trailers behind a body are no part of it.
type Response struct {
	x     *Core
	head  *message.Response // a Backend's; nil: an answer of the gateway's own
	bytes []byte            // that head indexes
	lines []byte            // the fields of an answer of the gateway's own

	status int
	reason stats.Reason
	before int  // bytes of respAdd that were there when the response phase began
	made   bool // a Filter has called Respond or Refuse
}

// Status returns the status code; 101 for the head that opens a tunnel.
func (r *Response) Status() int { return r.status }

// Own reports that the answer is the gateway's own: the request failed, or a Filter further inside has responded.
func (r *Response) Own() bool { return r.head == nil }

// Reason names why the gateway answers, as metrics and the access log do; "" for a Backend's response.
func (r *Response) Reason() string {
	if r.reason == stats.NoFailure {
		return ""
	}
	return r.reason.String()
}

// Field returns the value of the first field of that name, in any case; nil: none has the name. It is valid until r changes.
func (r *Response) Field(name string) []byte {
	if r.head != nil {
		for i := range r.head.Fields {
			if f := &r.head.Fields[i]; !f.Hop && message.EqualFold(f.Name.Of(r.bytes), name) {
				return f.Value.Of(r.bytes)
			}
		}
	}
	if value := message.FindLine(r.lines, name); value != nil {
		return value
	}
	return message.FindLine(r.x.edits.respAdd, name)
}

// Drop leaves out every field of that name, in any case: the Backend's, the gateway's and other Filters'.
func (r *Response) Drop(name string) {
	if r.head != nil {
		for i := range r.head.Fields {
			if f := &r.head.Fields[i]; message.EqualFold(f.Name.Of(r.bytes), name) {
				f.Hop = true
			}
		}
	}
	r.lines = message.DropLines(r.lines, name)
	e := &r.x.edits
	added := e.respAdd[r.before:]
	e.respAdd = message.DropLines(e.respAdd[:r.before], name)
	r.before = len(e.respAdd)
	e.respAdd = append(e.respAdd, message.DropLines(added, name)...)
}

// FieldChange changes the value of a field: it appends the new value to dst, or returns false where the value stays.
type FieldChange interface {
	ChangeField(dst, value []byte) (out []byte, changed bool)
}

// Change changes the values of the fields of that name, in any case, that the Backend has sent; they keep their order. Bytes that
// cannot stand in a head fail the request with 500.
func (r *Response) Change(name string, by FieldChange) {
	if r.head == nil {
		return
	}
	e, w := &r.x.edits, r.x.w
	from, changed := len(e.respAdd), false
	for i := range r.head.Fields {
		f := &r.head.Fields[i]
		if f.Hop || !message.EqualFold(f.Name.Of(r.bytes), name) {
			continue
		}
		value := f.Value.Of(r.bytes)
		out, does := by.ChangeField(w.changed[:0], value)
		if w.changed = wire.Reuse(out); does {
			changed, value = true, out
		}
		var ok bool
		if e.respAdd, ok = message.AppendLine(e.respAdd, f.Name.Of(r.bytes), value); !ok {
			r.x.filterFailed = true
		}
	}
	if !changed {
		e.respAdd = e.respAdd[:from]
		return
	}
	for i := range r.head.Fields {
		if f := &r.head.Fields[i]; message.EqualFold(f.Name.Of(r.bytes), name) {
			f.Hop = true
		}
	}
}

// Add adds a field. name and value are copied. Bytes that cannot stand in a head fail the request with 500.
func (r *Response) Add(name, value string) { r.x.view().AddResponseField(name, value) }

// AddLines adds complete field lines, each with CR LF. They are copied. Bytes that cannot stand in a head fail the request
// with 500.
func (r *Response) AddLines(lines []byte) {
	var ok bool
	if r.x.edits.respAdd, ok = message.AppendLines(r.x.edits.respAdd, lines); !ok {
		r.x.filterFailed = true
	}
}

// Set replaces every field of that name by one. Arguments are those of Add.
func (r *Response) Set(name, value string) {
	r.Drop(name)
	r.Add(name, value)
}

// runResponse runs the response phase on a Backend's head. It returns false where a Filter has replaced it: x has ended.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) runResponse(head *message.Response, data []byte) bool {
	if len(x.policy.chain.response) == 0 {
		return true
	}
	r := &x.w.response
	*r = Response{x: x, head: head, bytes: data, status: int(head.Code), before: len(x.edits.respAdd)}
	for _, f := range x.policy.chain.response {
		if f.at >= min(x.depth, x.turned()) || !x.showResponse(f, r) {
			continue
		}
		// The Endpoint's response is discarded with the additions to it. The Filters further outside see the answer that
		// replaces it.
		x.edits.respAdd = x.edits.respAdd[:r.before]
		if x.asksDetour() {
			x.altered.detour.place = f.at
			*r = Response{}
			return false
		}
		x.upClose = true
		x.headTime = x.w.Now()
		x.sendAnswer(f.at, stats.Filtered, x.backend.Verdict(int(head.Code)))
		return false
	}
	*r = Response{}
	return true
}

// showResponse calls a response phase, and reports whether it has replaced r: then the loop's answer is made.
func (x *Core) showResponse(f placed[ResponseFilter], r *Response) bool {
	verdict := x.askResponse(f.filter, r)
	n := x.w.Shard.Filter(f.count)
	switch {
	case x.filterFailed || verdict != Continue && !r.made:
		n.Spoiled++
		x.filterFailed = false
		x.w.faults.misused(f.filter, "response phase")
		x.takeBackDetour()
		r.made = true
		x.composeRefusal(failInternal.Status, failInternal.Text)
	case r.made:
		n.Replaced++
	default:
		n.Passed++
	}
	return r.made
}

// Respond answers the client in place of the Backend, with a status from 200 on. fields are complete field lines, each with
// CR LF, without framing fields; body is sent with its length. Both are copied. In the request phase the Exchange has ended
// when Respond returns. Bytes that cannot stand in a head fail the request with 500.
func (x *Exchange) Respond(status int, fields, body []byte) Verdict {
	if c := x.core(); c.mayAnswer() {
		return c.respond(status, fields, body)
	}
	return Respond
}

// Refuse is Respond in the form of the gateway's own refusals: a line of text, or a status for a gRPC client. text holds no
// control byte, and no byte that a client sent.
func (x *Exchange) Refuse(status int, text string) Verdict {
	c := x.core()
	if c.mayAnswer() {
		c.composeRefusal(status, text)
		return c.commitAnswer()
	}
	return Respond
}

func (x *Core) respond(status int, fields, body []byte) Verdict {
	// fields and body may be parts of w.own, so the answer is made in w.next.
	n := &x.w.next
	var ok bool
	n.fields, ok = message.AppendLines(n.fields[:0], fields)
	n.status, n.body = status, append(n.body[:0], body...)
	x.w.own, x.w.next = x.w.next, x.w.own
	if !ok || status < 200 || status > 999 || x.extended && status < 300 {
		// For an extended CONNECT a 2xx would open the WebSocket: RFC 8441 section 5.
		x.w.faults.invalid("an answer with status %d and fields %q", status, fields)
		x.composeRefusal(failInternal.Status, failInternal.Text)
	}
	return x.commitAnswer()
}

// mayAnswer reports whether a Filter may answer: the Exchange has not ended, and was not answered yet. In a body phase it may
// not, which fails the request.
func (x *Core) mayAnswer() bool {
	r := &x.w.response
	if x.down == nil || x.ending || x.headDone && r.x != x {
		return false
	}
	if r.x == nil && !x.inRequestPhase() {
		x.filterFailed = true
		return false
	}
	return r.x == nil || r.x == x && !r.made
}

// inRequestPhase reports that the Filters' request phase is under way.
func (x *Core) inRequestPhase() bool { return x.snapshot != nil }

// commitAnswer sends the loop's answer, which a Filter has made; in the response phase, showResponse's caller sends it.
func (x *Core) commitAnswer() Verdict {
	if r := &x.w.response; r.x != nil {
		r.made = true
		return Respond
	}
	if x.filterFailed {
		x.filterFailed = false
		x.w.faults.invalid("an answer behind a field or a target that is none")
		x.composeRefusal(failInternal.Status, failInternal.Text)
	}
	x.sendAnswer(max(x.depth, 1)-1, stats.Filtered, upstream.Canceled)
	return Respond
}

// composeRefusal makes the loop's answer a refusal.
func (x *Core) composeRefusal(status int, text string) {
	o := &x.w.own
	if x.grpc {
		o.status, o.fields, o.body = 200, appendGRPCRefusal(o.fields[:0], status, text), o.body[:0]
		return
	}
	o.status, o.fields = status, append(o.fields[:0], RefusalFields...)
	o.body = message.AppendRefusal(o.body[:0], status, text)
}

// answer is an answer of the gateway's own on its way out. A loop has one, because none outlives a call, and a second to
// make the next one in.
type answer struct {
	status       int
	fields, body []byte
}

// sendAnswer runs the response phase of the Filters outside place on the loop's answer, sends it and ends x.
func (x *Core) sendAnswer(place uint8, reason stats.Reason, outcome upstream.Outcome) {
	w := x.w
	r := &w.response
	if x.policy != nil {
		place, before := min(place, x.turned()), len(x.edits.respAdd)
		for _, f := range x.policy.chain.response {
			if f.at >= place {
				continue
			}
			*r = Response{x: x, lines: w.own.fields, status: w.own.status, reason: reason, before: len(x.edits.respAdd)}
			if x.showResponse(f, r) {
				if x.asksDetour() {
					x.altered.detour.place = f.at
					*r = Response{}
					x.edits.respAdd = x.edits.respAdd[:before]
					x.detour(reason, outcome)
					return
				}
				x.edits.respAdd = x.edits.respAdd[:r.before]
				reason = stats.Filtered
			} else {
				w.own.fields = r.lines
			}
		}
	}
	*r = Response{}
	o := &w.own
	x.status = uint16(o.status)
	x.headDone = true
	o.fields = append(o.fields, x.edits.respAdd...)
	if x.translated() {
		x.webAnswer(o)
	}
	x.sentBytes += int64(x.down.Answer(x, o.status, o.fields, o.body))
	o.fields, o.body = wire.Reuse(o.fields), wire.Reuse(o.body)
	x.end(reason, outcome)
}
