package server

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// Response is a final head on its way to the client, as ResponseFilters see and change it. It is valid during the call that
// it is given to. Framing, and what belongs to one connection (Connection, Keep-Alive, Transfer-Encoding, Content-Length,
// Upgrade), is the Exchange's own: it is not added, and dropping it changes nothing.
type Response struct {
	x *Exchange
	// A Backend's, with the bytes that it indexes; or nil, and lines are the fields of an answer of the gateway's own.
	head  *message.Response
	bytes []byte
	lines []byte

	status int
	reason stats.Reason
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
	for _, lines := range [...][]byte{r.lines, r.x.edits.respAdd} {
		for rest := lines; len(rest) > 0; {
			var line []byte
			line, rest = cutLine(rest)
			if value, ok := valueOf(line, name); ok {
				return value
			}
		}
	}
	return nil
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
	r.lines = dropLines(r.lines, name)
	r.x.edits.respAdd = dropLines(r.x.edits.respAdd, name)
}

// Add adds a field. name and value must be valid (see policy.ValidField); both are copied.
func (r *Response) Add(name, value string) {
	r.x.edits.respAdd = h1.AppendField(r.x.edits.respAdd, name, value)
}

// AddLines adds complete field lines, each with CR LF, which are copied.
func (r *Response) AddLines(lines []byte) { r.x.edits.respAdd = append(r.x.edits.respAdd, lines...) }

// Set replaces every field of that name by one.
func (r *Response) Set(name, value string) {
	r.Drop(name)
	r.Add(name, value)
}

// cutLine returns the first of some field lines, without its CR LF, and the others.
func cutLine(lines []byte) (line, rest []byte) {
	i := bytes.IndexByte(lines, '\n')
	if i < 1 {
		return lines, nil
	}
	return lines[:i-1], lines[i+1:]
}

// valueOf returns the value of a field line, and whether its name is name in any case.
func valueOf(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !message.EqualFold(line[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// dropLines removes the lines of a name, in place.
func dropLines(lines []byte, name string) []byte {
	kept := lines[:0]
	for rest := lines; len(rest) > 0; {
		before := rest
		var line []byte
		line, rest = cutLine(rest)
		if _, ok := valueOf(line, name); !ok {
			kept = append(kept, before[:len(before)-len(rest)]...)
		}
	}
	return kept
}

// runResponse shows a Backend's head to the Filters. It returns false where one of them has answered instead: x has ended.
//
// hot: runs per response; no alloc, no lock.
func (x *Exchange) runResponse(head *message.Response, data []byte) bool {
	if len(x.policy.chain.response) == 0 {
		return true
	}
	r := &x.w.response
	*r = Response{x: x, head: head, bytes: data, status: int(head.Code)}
	for _, f := range x.policy.chain.response {
		if f.at >= x.depth || f.filter.Response(x, r) != Respond {
			continue
		}
		// What the Endpoint has to say is not wanted any more. The Filters further outside see the answer in its place.
		x.upClose = true
		x.headTime = x.w.loop.Now()
		x.replies(f.at, stats.Filtered, upstream.OK)
		return false
	}
	*r = Response{}
	return true
}

// Respond answers the client in the Backend's place. fields are complete field lines, each with CR
// LF, without framing fields; body is sent with its length. Both are copied. In the request phase the Exchange has ended
// when Respond returns.
func (x *Exchange) Respond(status int, fields, body []byte) Verdict {
	o := &x.w.own
	o.status, o.fields, o.body = status, append(o.fields[:0], fields...), append(o.body[:0], body...)
	if x.w.response.x == nil {
		x.replies(max(x.depth, 1)-1, stats.Filtered, upstream.Canceled)
	}
	return Respond
}

// Refuse is Respond with the form of the gateway's own refusals: a line of text, or what a gRPC client reads as an
// error. text holds no control byte, and nothing that a client sent.
func (x *Exchange) Refuse(status int, text string) Verdict {
	x.composeRefusal(status, text)
	if x.w.response.x == nil {
		x.replies(max(x.depth, 1)-1, stats.Filtered, upstream.Canceled)
	}
	return Respond
}

// composeRefusal makes the loop's reply a refusal.
func (x *Exchange) composeRefusal(status int, text string) {
	o := &x.w.own
	if x.grpc {
		o.status, o.fields, o.body = 200, appendGRPCRefusal(o.fields[:0], status, text), o.body[:0]
		return
	}
	o.status, o.fields = status, append(o.fields[:0], refusalFields...)
	o.body = message.AppendRefusal(o.body[:0], status, text)
}

// reply is an answer of the gateway's own on its way out. There is one for each loop, because none outlives a call.
type reply struct {
	status       int
	fields, body []byte
}

// replies sends the loop's reply past the Filters in front of one of the chain's places, and ends x.
func (x *Exchange) replies(place uint8, reason stats.Reason, outcome upstream.Outcome) {
	w := x.w
	o, r := &w.own, &w.response
	if x.policy != nil {
		for _, f := range x.policy.chain.response {
			if f.at >= place {
				continue
			}
			*r = Response{x: x, lines: o.fields, status: o.status, reason: reason}
			if f.filter.Response(x, r) == Respond {
				reason = stats.Filtered
			} else {
				o.fields = r.lines
			}
		}
	}
	*r = Response{}
	x.status = uint16(o.status)
	x.headDone = true
	o.fields = append(o.fields, x.edits.respAdd...)
	if x.translated() {
		x.webAnswer(o)
	}
	x.sentBytes += int64(x.c.answer(x, o.status, o.fields, o.body))
	o.fields, o.body = small(o.fields), small(o.body)
	x.end(reason, outcome)
}
