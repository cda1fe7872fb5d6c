package h1

import "github.com/sluice-gateway/sluice/server/internal/message"

// AppendRequest appends the request line and the fields of a head that is passed on, without the empty line: the caller
// appends its own lines and that. The head is copied byte for byte and in its order, less the fields that are not to be
// (message.Field.Hop) and Content-Length. target replaces the request's, which is written in origin-form, where it is not
// nil, and authority its Host; an absolute-form target's own authority replaces Host as well (RFC 9112 section 3.2.2).
//
// hot: runs per request; no alloc, no lock.
func AppendRequest(dst []byte, req *message.Request, head, target, authority []byte) []byte {
	dst = append(dst, req.MethodSpan.Of(head)...)
	dst = append(dst, ' ')
	switch {
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
	if authority == nil && (req.Form == message.AbsoluteForm || req.Minor == 0) {
		authority = req.Authority.Of(head)
	}
	if authority != nil {
		dst = append(dst, "Host: "...)
		dst = append(dst, authority...)
		dst = append(dst, '\r', '\n')
	}
	return req.AppendFields(dst, head, authority != nil)
}

// AppendResponse appends the status line and the fields of a head that is passed on, in the way of AppendRequest. A reason
// phrase of HTTP/1.1 is kept.
//
// hot: runs per response; no alloc, no lock.
func AppendResponse(dst []byte, resp *message.Response, head []byte) []byte {
	if resp.Minor == 1 {
		dst = append(dst, head[:resp.Reason.End]...)
		dst = append(dst, '\r', '\n')
	} else {
		dst = message.AppendStatusLine(dst, int(resp.Code))
	}
	return resp.AppendFields(dst, head, false)
}
