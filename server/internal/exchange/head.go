package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// headRoom is the room for the bytes of a forwarded head that are neither the client's nor among the additions.
const headRoom = 192

// appendRequestHead appends the head for an Endpoint of HTTP/1.1: the client's, less the dropped fields, with the additions
// of the gateway and the Filters.
//
// hot: runs per request; no alloc, no lock.
func appendRequestHead(dst []byte, x *Core, req *message.Request, head []byte) []byte {
	dst = h1.AppendRequest(dst, req, head, x.target(), x.host())
	switch {
	case x.upgrade:
		dst = append(dst, "Connection: upgrade\r\nUpgrade: "...)
		dst = append(dst, req.Value(head, message.FieldUpgrade)...)
		dst = append(dst, '\r', '\n')
		if req.Extended {
			dst = x.w.appendWebSocketKey(dst)
		}
	case req.TETrailers && !x.route.TakenOver(): // nginx relays no trailers, and asks for none
		dst = append(dst, "Connection: te\r\nTE: trailers\r\n"...)
	}
	dst = append(dst, x.edits.add...)
	return append(dst, '\r', '\n')
}

// AppendResponseLines appends the field lines that go to the client beside the fields of a Backend's head: the gateway's
// Date and Server where the head has none, and the Filters' additions. Framing fields are not among them.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) AppendResponseLines(dst []byte, resp *message.Response) []byte {
	if !resp.Has(message.FieldDate) && !x.adds("Date") {
		// RFC 9110 section 6.6.1: a recipient that forwards a response without Date adds it.
		dst = append(dst, x.w.date()...)
	}
	if !resp.Has(message.FieldServer) && !x.adds("Server") {
		dst = append(dst, x.serverLine()...)
	}
	return append(dst, x.edits.respAdd...)
}

// adds reports whether Filters have added a field of that name to the response.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) adds(name string) bool {
	return len(x.edits.respAdd) > 0 && message.FindLine(x.edits.respAdd, name) != nil
}

// serverLine returns the line of the gateway's Server field; nil: the configuration, or the Route, has none.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) serverLine() []byte {
	switch {
	case x.route == nil:
		return x.w.Settings.unrouted
	case x.route.Anonymous:
		return nil
	}
	return x.w.Settings.server
}

// hideServer drops a Backend's Server field, where its Route hides it.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) hideServer(resp *message.Response) {
	if !x.route.Anonymous || !resp.Has(message.FieldServer) {
		return
	}
	for i := range resp.Fields {
		if resp.Fields[i].ID == message.FieldServer {
			resp.Fields[i].Hop = true
		}
	}
}

// AppendAnswerLines appends the field lines of an answer of the gateway's own: Date, Server, and those in fields, where a
// Date or Server of a Filter replaces the gateway's. x is nil for an answer to no request, such as a malformed head.
func (w *Loop) AppendAnswerLines(dst []byte, x *Core, fields []byte) []byte {
	server := w.Settings.unrouted
	if x != nil {
		server = x.serverLine()
	}
	if message.FindLine(fields, "Server") != nil {
		server = nil
	}
	if message.FindLine(fields, "Date") == nil {
		dst = append(dst, w.date()...)
	}
	return append(append(dst, server...), fields...)
}

// RefusalFields are the field lines of a refusal in text, whose body message.AppendRefusal makes. Not to be written to.
var RefusalFields = []byte("Content-Type: text/plain; charset=utf-8\r\n")
