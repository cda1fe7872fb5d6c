package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Response is a final head on its way to the client, as ResponseFilters see and change it. It is valid during the call that
// it is given to. Framing, and what belongs to one connection (Connection, Keep-Alive, Transfer-Encoding, Content-Length,
// Upgrade), is the Exchange's own: it is not added, and dropping it changes nothing. Trailers behind a body are not
// seen here.
type Response struct {
	x *Core
	// A Backend's, with the bytes that it indexes; or nil, and lines are the fields of an answer of the gateway's own.
	head  *message.Response
	bytes []byte
	lines []byte

	status int
	reason stats.Reason
	before int  // what had been added when the response phase began, bytes
	made   bool // a Filter has called Respond or Refuse
}

// Status returns the status code; 101 for the head that opens a tunnel.
func (r *Response) Status() int { return r.status }

// Own reports that the gateway answers, and not a Backend: something failed, or a Filter further inside has responded.
func (r *Response) Own() bool { return r.head == nil }

// Reason says why the gateway answers, "" for a Backend's response.
func (r *Response) Reason() string {
	if r.reason == stats.NoFailure {
		return ""
	}
	return r.reason.String()
}

// Field returns the value of the first field of that name, in any case, nil where there is none. It is valid until r changes.
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

// Drop leaves out every field of that name, in any case, whoever has added it.
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

// Add adds a field. Both are copied. What cannot stand in a head fails the request with 500.
func (r *Response) Add(name, value string) { r.x.view().AddResponseField(name, value) }

// AddLines adds complete field lines, each with CR LF. They are copied. What cannot stand in a head fails the request with
// 500.
func (r *Response) AddLines(lines []byte) {
	var ok bool
	if r.x.edits.respAdd, ok = message.AppendLines(r.x.edits.respAdd, lines); !ok {
		r.x.faulty = true
	}
}

// Set replaces every field of that name by one.
func (r *Response) Set(name, value string) {
	r.Drop(name)
	r.Add(name, value)
}

// runResponse shows a Backend's head to the Filters. It returns false where one of them has answered instead: x has ended.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) runResponse(head *message.Response, data []byte) bool {
	if len(x.policy.chain.response) == 0 {
		return true
	}
	r := &x.w.response
	*r = Response{x: x, head: head, bytes: data, status: int(head.Code), before: len(x.edits.respAdd)}
	for _, f := range x.policy.chain.response {
		if f.at >= x.depth || !x.answers(f.filter, r) {
			continue
		}
		// What the Endpoint has to say is not wanted any more, nor what was added to it. The Filters further outside see the
		// answer in its place.
		x.edits.respAdd = x.edits.respAdd[:r.before]
		x.upClose = true
		x.headTime = x.w.Now()
		x.replies(f.at, stats.Filtered, upstream.OK)
		return false
	}
	*r = Response{}
	return true
}

// answers shows r to a Filter, and reports whether it has answered in its place: the loop's reply is made then.
func (x *Core) answers(f ResponseFilter, r *Response) bool {
	verdict := x.askResponse(f, r)
	if x.faulty || verdict != Continue && !r.made {
		x.faulty = false
		x.w.faults.misused(f, "response phase")
		r.made = true
		x.composeRefusal(failInternal.Status, failInternal.Text)
	}
	return r.made
}

// Respond answers the client in the Backend's place, with a status from 200 on. fields are complete field lines, each with CR
// LF, without framing fields; body is sent with its length. Both are copied. In the request phase the Exchange has ended
// when Respond returns. What cannot stand in a head fails the request with 500.
func (x *Exchange) Respond(status int, fields, body []byte) Verdict {
	if c := x.core(); c.mayAnswer() {
		return c.respond(status, fields, body)
	}
	return Respond
}

// Refuse is Respond with the form of the gateway's own refusals: a line of text, or what a gRPC client reads as an
// error. text holds no control byte, and nothing that a client sent.
func (x *Exchange) Refuse(status int, text string) Verdict {
	c := x.core()
	if c.mayAnswer() {
		c.composeRefusal(status, text)
		return c.answered()
	}
	return Respond
}

func (x *Core) respond(status int, fields, body []byte) Verdict {
	// They may be parts of what the loop's reply holds.
	n := &x.w.next
	var ok bool
	n.fields, ok = message.AppendLines(n.fields[:0], fields)
	n.status, n.body = status, append(n.body[:0], body...)
	x.w.own, x.w.next = x.w.next, x.w.own
	if !ok || status < 200 || status > 999 || x.extended && status < 300 {
		// The last one would open the WebSocket: RFC 8441 section 5.
		x.w.faults.invalid("an answer with status %d and fields %q", status, fields)
		x.composeRefusal(failInternal.Status, failInternal.Text)
	}
	return x.answered()
}

// mayAnswer reports whether a Filter may answer now: not once the Exchange has ended or was answered, and not in a body phase,
// where that fails the request.
func (x *Core) mayAnswer() bool {
	r := &x.w.response
	if x.down == nil || x.over || x.headDone && r.x != x {
		return false
	}
	if r.x == nil && !x.asked() {
		x.faulty = true
		return false
	}
	return r.x == nil || r.x == x && !r.made
}

// asked reports that the Filters' request phase is under way.
func (x *Core) asked() bool { return x.snapshot != nil }

// answered takes note that the loop's reply is made.
func (x *Core) answered() Verdict {
	if r := &x.w.response; r.x != nil {
		r.made = true // and is sent behind the call
	} else {
		if x.faulty {
			x.faulty = false
			x.w.faults.invalid("an answer behind a field or a target that is none")
			x.composeRefusal(failInternal.Status, failInternal.Text)
		}
		x.replies(max(x.depth, 1)-1, stats.Filtered, upstream.Canceled)
	}
	return Respond
}

// composeRefusal makes the loop's reply a refusal.
func (x *Core) composeRefusal(status int, text string) {
	o := &x.w.own
	if x.grpc {
		o.status, o.fields, o.body = 200, appendGRPCRefusal(o.fields[:0], status, text), o.body[:0]
		return
	}
	o.status, o.fields = status, append(o.fields[:0], RefusalFields...)
	o.body = message.AppendRefusal(o.body[:0], status, text)
}

// reply is an answer of the gateway's own on its way out. There is one for each loop, because none outlives a call, and
// another to make the next one in.
type reply struct {
	status       int
	fields, body []byte
}

// replies sends the loop's reply past the Filters in front of one of the chain's places, and ends x.
func (x *Core) replies(place uint8, reason stats.Reason, outcome upstream.Outcome) {
	w := x.w
	r := &w.response
	if x.policy != nil {
		for _, f := range x.policy.chain.response {
			if f.at >= place {
				continue
			}
			*r = Response{x: x, lines: w.own.fields, status: w.own.status, reason: reason, before: len(x.edits.respAdd)}
			if x.answers(f.filter, r) {
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
