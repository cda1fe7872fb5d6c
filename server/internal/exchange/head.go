package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// headRoom is what a forwarded head may need beyond the client's own and the filters' additions.
const headRoom = 192

// appendRequestHead appends the head that goes upstream: the client's, less what filters dropped, plus what forward and filters
// added.
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
	case req.TETrailers:
		dst = append(dst, "Connection: te\r\nTE: trailers\r\n"...)
	}
	dst = append(dst, x.edits.add...)
	return append(dst, '\r', '\n')
}

// AppendResponseLines appends what goes to the client beside the fields of a Backend's head, but for the framing of its body:
// what the gateway says, and what Filters have added.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) AppendResponseLines(dst []byte, resp *message.Response) []byte {
	if !resp.Has(message.FieldDate) && !x.adds("Date") {
		// RFC 9110, 6.6.1: whoever forwards a response without Date adds it.
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

// serverLine returns the line that says who answered, where nobody else has.
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

// hideServer keeps a Backend's word about that from the client, where its Route wants so.
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

// AppendOwn appends what every answer of the gateway's own bears, besides the lines of fields. x is nil where
// it is for none.
func (w *Loop) AppendOwn(dst []byte, x *Core, fields []byte) []byte {
	server := w.Settings.unrouted
	if x != nil {
		server = x.serverLine()
	}
	// A Filter's own stand.
	if message.FindLine(fields, "Server") != nil {
		server = nil
	}
	if message.FindLine(fields, "Date") == nil {
		dst = append(dst, w.date()...)
	}
	return append(append(dst, server...), fields...)
}

// RefusalFields are those of a refusal in text: see message.AppendRefusal.
var RefusalFields = []byte("Content-Type: text/plain; charset=utf-8\r\n")
