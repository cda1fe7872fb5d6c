package server

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
func appendRequestHead(dst []byte, x *Exchange, req *message.Request, head []byte) []byte {
	dst = h1.AppendRequest(dst, req, head, x.target(), x.policy.upstreamHost)
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

// appendResponseHead appends the head that goes to the client.
//
// hot: runs per request; no alloc, no lock.
func appendResponseHead(dst []byte, x *Exchange, resp *message.Response, head []byte, closing bool) []byte {
	dst = h1.AppendResponse(dst, resp, head)
	if !resp.Has(message.FieldDate) && !x.adds("Date") {
		// RFC 9110, 6.6.1: whoever forwards a response without Date adds it.
		dst = append(dst, x.w.date()...)
	}
	if !resp.Has(message.FieldServer) && !x.adds("Server") {
		dst = append(dst, x.serverLine()...)
	}
	dst = append(dst, x.edits.respAdd...)
	dst = x.respBody.appendFraming(dst)
	switch {
	case closing:
		dst = append(dst, "Connection: close\r\n"...)
	case x.oldClient:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, '\r', '\n')
}

// adds reports whether Filters have added a field of that name to the response.
//
// hot: runs per response; no alloc, no lock.
func (x *Exchange) adds(name string) bool {
	return len(x.edits.respAdd) > 0 && message.FindLine(x.edits.respAdd, name) != nil
}

// serverLine returns the line that says who answered, where nobody else has.
//
// hot: runs per response; no alloc, no lock.
func (x *Exchange) serverLine() []byte {
	switch {
	case x.route == nil:
		return x.w.settings.unrouted
	case x.route.Anonymous:
		return nil
	}
	return x.w.settings.server
}

// hideServer keeps a Backend's word about that from the client, where its Route wants so.
//
// hot: runs per response; no alloc, no lock.
func (x *Exchange) hideServer(resp *message.Response) {
	if !x.route.Anonymous || !resp.Has(message.FieldServer) {
		return
	}
	for i := range resp.Fields {
		if resp.Fields[i].ID == message.FieldServer {
			resp.Fields[i].Hop = true
		}
	}
}

// appendOwn appends what every answer of the gateway's own bears, besides the lines of fields. x is nil where
// it is for none.
func (w *coreLoop) appendOwn(dst []byte, x *Exchange, fields []byte) []byte {
	server := w.settings.unrouted
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

// appendInterimHead appends a 1xx head.
func appendInterimHead(dst []byte, resp *message.Response, head []byte) []byte {
	dst = message.AppendStatusLine(dst, int(resp.Code))
	dst = resp.AppendFields(dst, head, false)
	return append(dst, '\r', '\n')
}

// appendSwitchHead appends a 101 head.
func appendSwitchHead(dst []byte, x *Exchange, resp *message.Response, head []byte) []byte {
	dst = message.AppendStatusLine(dst, 101)
	dst = resp.AppendFields(dst, head, false)
	dst = append(dst, x.edits.respAdd...)
	dst = append(dst, "Connection: upgrade\r\nUpgrade: "...)
	if to := resp.Value(head, message.FieldUpgrade); to != nil {
		dst = append(dst, to...)
	} else if x.kept != nil {
		// Accepted by HTTP/2, which has no such field: what was asked for.
		dst = append(dst, x.kept.req.Value(x.kept.head, message.FieldUpgrade)...)
	}
	return append(dst, "\r\n\r\n"...)
}
