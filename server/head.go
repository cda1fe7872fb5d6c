package server

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// headRoom is what a forwarded head may need beyond the client's own and the filters' additions.
const headRoom = 192

// appendRequestHead appends the head that goes upstream: the client's, byte for byte and in its
// order, less the fields that are hop-by-hop or dropped by a filter (Field.Hop), plus what forward and
// filters added. The target is forwarded as sent, in origin-form.
//
// hot: runs per request; no alloc, no lock.
func appendRequestHead(dst []byte, x *Exchange, req *message.Request, head []byte) []byte {
	dst = append(dst, req.MethodSpan.Of(head)...)
	dst = append(dst, ' ')
	switch target := x.target(); {
	case target != nil:
		dst = append(dst, target...)
	case req.Form == message.OriginForm:
		dst = append(dst, req.Target.Of(head)...)
	case req.EmptyPath:
		dst = append(dst, '/')
		if !req.Query.Empty() {
			dst = append(dst, '?')
			dst = append(dst, req.Query.Of(head)...)
		}
	default:
		dst = append(dst, head[req.Path.Off:req.Target.End]...)
	}
	dst = append(dst, " HTTP/1.1\r\n"...)
	// An absolute-form target's authority replaces Host (RFC 9112, 3.2.2), and so does upstream-vhost.
	host := x.policy.upstreamHost
	if host == nil && (req.Form == message.AbsoluteForm || req.Minor == 0) {
		host = req.Authority.Of(head)
	}
	if host != nil {
		dst = append(dst, "Host: "...)
		dst = append(dst, host...)
		dst = append(dst, '\r', '\n')
	}
	dst = appendFields(dst, &req.Head, head, host != nil)
	switch {
	case x.upgrade:
		dst = append(dst, "Connection: upgrade\r\nUpgrade: "...)
		dst = append(dst, fieldValue(&req.Head, head, message.FieldUpgrade)...)
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

// appendFields appends the field lines that are not hop-by-hop, in runs: neighbours that stay are
// copied together. Content-Length stays behind, see flow.appendFraming.
//
// hot: runs per request; no alloc, no lock.
func appendFields(dst []byte, h *message.Head, head []byte, dropHost bool) []byte {
	end := uint32(h.HeadLen - 2)
	if len(h.Fields) == 0 {
		return dst
	}
	from := h.Fields[0].Name.Off
	for i := range h.Fields {
		f := &h.Fields[i]
		if !f.Hop && f.ID != message.FieldContentLength && !(dropHost && f.ID == message.FieldHost) {
			continue
		}
		if f.Name.Off > from {
			dst = append(dst, head[from:f.Name.Off]...)
		}
		from = end
		if i+1 < len(h.Fields) {
			from = h.Fields[i+1].Name.Off
		}
	}
	return append(dst, head[from:end]...)
}

func fieldValue(h *message.Head, head []byte, id message.FieldID) []byte {
	for i := range h.Fields {
		if h.Fields[i].ID == id {
			return h.Fields[i].Value.Of(head)
		}
	}
	return nil
}

// appendResponseHead appends the head that goes to the client.
//
// hot: runs per request; no alloc, no lock.
func appendResponseHead(dst []byte, x *Exchange, resp *message.Response, head []byte, closing bool) []byte {
	if resp.Minor == 1 {
		dst = append(dst, head[:resp.Reason.End]...)
		dst = append(dst, '\r', '\n')
	} else {
		dst = message.AppendStatusLine(dst, int(resp.Code))
	}
	dst = appendFields(dst, &resp.Head, head, false)
	if !resp.Has(message.FieldDate) && !x.adds("Date") {
		// RFC 9110, 6.6.1: whoever forwards a response without Date adds it.
		dst = append(dst, x.w.date()...)
	}
	if !resp.Has(message.FieldServer) && !x.adds("Server") {
		dst = append(dst, x.serverLine()...)
	}
	dst = append(dst, x.edits.respAdd...)
	dst = x.down.appendFraming(dst)
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
	return len(x.edits.respAdd) > 0 && findLine(x.edits.respAdd, name) != nil
}

// serverLine returns the line that says who answered, where nobody else has.
//
// hot: runs per response; no alloc, no lock.
func (x *Exchange) serverLine() []byte {
	switch {
	case x.route == nil:
		return x.w.set.unrouted
	case x.route.Anonymous:
		return nil
	}
	return x.w.set.server
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
func (w *worker) appendOwn(dst []byte, x *Exchange, fields []byte) []byte {
	server := w.set.unrouted
	if x != nil {
		server = x.serverLine()
	}
	// A Filter's own stand.
	if findLine(fields, "Server") != nil {
		server = nil
	}
	if findLine(fields, "Date") == nil {
		dst = append(dst, w.date()...)
	}
	return append(append(dst, server...), fields...)
}

// appendInterimHead appends a 1xx head.
func appendInterimHead(dst []byte, resp *message.Response, head []byte) []byte {
	dst = message.AppendStatusLine(dst, int(resp.Code))
	dst = appendFields(dst, &resp.Head, head, false)
	return append(dst, '\r', '\n')
}

// appendSwitchHead appends a 101 head.
func appendSwitchHead(dst []byte, x *Exchange, resp *message.Response, head []byte) []byte {
	dst = message.AppendStatusLine(dst, 101)
	dst = appendFields(dst, &resp.Head, head, false)
	dst = append(dst, x.edits.respAdd...)
	dst = append(dst, "Connection: upgrade\r\nUpgrade: "...)
	if to := fieldValue(&resp.Head, head, message.FieldUpgrade); to != nil {
		dst = append(dst, to...)
	} else if x.kept != nil {
		// Accepted by HTTP/2, which has no such field: what was asked for.
		dst = append(dst, fieldValue(&x.kept.req.Head, x.kept.head, message.FieldUpgrade)...)
	}
	return append(dst, "\r\n\r\n"...)
}
