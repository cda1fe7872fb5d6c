package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Browsers, which cannot see trailers, speak gRPC-Web: see package grpcweb. Where the Backend of a request speaks gRPC, the
// gateway translates: heads in this file, bodies by a Transform for each direction. These stand outermost, so that Filters
// see gRPC.
//
//	client ── webDecoder ── Transforms of Filters ──► Endpoint      base64 is taken off
//	client ◄── webEncoder ── Transforms of Filters ── Endpoint      trailers become a part of the body, base64 is put on
//
// A Backend's response that is not gRPC passes unchanged, and so does an answer to a request before its Backend is known:
// clients read its HTTP status.

// translation is the state of an Exchange that is translated.
type translation struct {
	answered grpcweb.Form // of the response; None: it passes unchanged
	suffix   []byte       // of the request's media type
}

// appendType appends the field of the response's media type, with the Backend's suffix or else the client's.
func (t *translation) appendType(dst, suffix []byte) []byte {
	if len(suffix) == 0 {
		suffix = t.suffix
	}
	dst = t.answered.AppendType(append(dst, "Content-Type: "...), suffix)
	return append(dst, '\r', '\n')
}

// translated reports that the client speaks gRPC-Web and the Backend gRPC.
func (x *Core) translated() bool { return x.web != grpcweb.None && x.grpc }

// translateWeb begins the translation of x, if p, the protocol of its Backend, is gRPC.
func (x *Core) translateWeb(p routing.Protocol, req *message.Request, head []byte) {
	if p != routing.GRPC && p != routing.GRPCS || x.method != message.MethodPost {
		x.web = grpcweb.None
		return
	}
	_, suffix := grpcweb.Parse(req.Value(head, message.FieldContentType))
	x.grpc = true
	t := &x.alter().web
	t.answered, t.suffix = acceptedWeb(req, head, x.web), append(t.suffix[:0], suffix...)
}

// retranslateWeb replaces the result of translateWeb, for a Backend that a Filter has chosen.
func (x *Core) retranslateWeb(p routing.Protocol, req *message.Request, head []byte) {
	if x.method != message.MethodPost {
		return
	}
	if x.grpc, x.web = isGRPC(req, head); x.web != grpcweb.None {
		x.translateWeb(p, req, head)
	}
}

// acceptedWeb returns the form of the response: the first in Accept, or else asked, the form of the request.
func acceptedWeb(req *message.Request, head []byte, asked grpcweb.Form) grpcweb.Form {
	if !req.Has(message.FieldAccept) {
		return asked
	}
	for i := range req.Fields {
		if req.Fields[i].ID != message.FieldAccept {
			continue
		}
		list := req.Fields[i].Value.Of(head)
		for element, rest := message.NextElement(list); element != nil; element, rest = message.NextElement(rest) {
			if f, _ := grpcweb.Parse(element); f != grpcweb.None {
				return f
			}
		}
	}
	return asked
}

// webRequest edits the request's head into one of gRPC.
func (x *Core) webRequest(req *message.Request) {
	for i := range req.Fields {
		if f := &req.Fields[i]; f.ID == message.FieldContentType {
			f.Hop = true
		}
	}
	req.TETrailers = true
	x.edits.add = grpcweb.AppendNative(append(x.edits.add, "Content-Type: "...), x.altered.web.suffix)
	x.edits.add = append(x.edits.add, '\r', '\n')
}

// webResponse edits the response's head into one of gRPC-Web, and reports whether the response is gRPC, so that its body is
// to be translated. only says that the head is the whole response (Trailers-Only): then the lines of the call's status are
// moved from the head to status, which goes into the body, because a browser hides the fields of another origin from scripts
// unless the server exposes them.
func (x *Core) webResponse(resp *message.Response, head []byte, only bool) (status []byte, ok bool) {
	t := &x.altered.web
	suffix, native := grpcweb.Native(resp.Value(head, message.FieldContentType))
	if !native {
		t.answered = grpcweb.None
		return nil, false
	}
	for i := range resp.Fields {
		f := &resp.Fields[i]
		switch f.ID {
		case message.FieldContentType, message.FieldTrailer:
			f.Hop = true
		case message.FieldOther:
			if name := f.Name.Of(head); only && !f.Hop && isGRPCStatus(name) {
				f.Hop = true
				status = h1.AppendField(status, name, f.Value.Of(head))
			}
		}
	}
	if only {
		x.edits.respAdd, status = cutStatus(x.edits.respAdd, status)
	}
	x.edits.respAdd = t.appendType(message.DropLines(x.edits.respAdd, "Content-Type"), suffix)
	return status, true
}

// cutStatus moves the lines of a call's status from lines to the end of status. The other lines stay in place.
func cutStatus(lines, status []byte) (kept, moved []byte) {
	kept = lines[:0]
	for rest := lines; len(rest) > 0; {
		var line []byte
		line, rest = message.CutLine(rest)
		if name, value, _ := bytes.Cut(line, []byte(":")); isGRPCStatus(name) {
			status = h1.AppendField(status, name, bytes.TrimSpace(value))
		} else {
			kept = append(append(kept, line...), '\r', '\n')
		}
	}
	return kept, status
}

// isGRPCStatus reports whether a field is part of a call's status.
func isGRPCStatus(name []byte) bool {
	return message.EqualFold(name, "grpc-status") || message.EqualFold(name, "grpc-message") ||
		message.EqualFold(name, "grpc-status-details-bin")
}

// webAnswer translates an answer of the gateway's own that is in the form of appendGRPCRefusal. Others stay unchanged.
func (x *Core) webAnswer(o *answer) {
	t := &x.altered.web
	suffix, native := grpcweb.Native(message.FindLine(o.fields, "Content-Type"))
	if !native || len(o.body) > 0 || message.FindLine(o.fields, "Grpc-Status") == nil {
		return
	}
	line := t.appendType(nil, suffix) // suffix is a part of the fields
	var status []byte
	o.fields, status = cutStatus(message.DropLines(o.fields, "Content-Type"), nil)
	o.fields = append(o.fields, line...)
	o.body = (&webEncoder{t.answered}).status(o.body[:0], status)
}

// webDecoder is the Transform of a request in the text form: it decodes base64.
type webDecoder struct{ decoder grpcweb.Decoder }

// Feed implements Transform.
func (d *webDecoder) Feed(dst, p []byte, last bool) ([]byte, bool) {
	dst, ok := d.decoder.Decode(dst, p)
	return dst, ok && (!last || d.decoder.Complete())
}

// Trailers implements TrailerTransform: gRPC has none in requests.
func (d *webDecoder) Trailers(dst, _ []byte) (out, rest []byte) { return dst, nil }

// Close implements Transform.
func (d *webDecoder) Close() {}

// webEncoder is the Transform of a response: it frames the trailers as a part of the body, and encodes the text form.
type webEncoder struct{ form grpcweb.Form }

// Feed implements Transform. Each call makes a complete base64 part, so that the client can decode it at once.
func (e *webEncoder) Feed(dst, p []byte, _ bool) ([]byte, bool) {
	if e.form == grpcweb.Text {
		return grpcweb.AppendText(dst, p), true
	}
	return append(dst, p...), true
}

// Trailers implements TrailerTransform.
func (e *webEncoder) Trailers(dst, lines []byte) (out, rest []byte) { return e.status(dst, lines), nil }

// status appends the frame of a call's status.
func (e *webEncoder) status(dst, lines []byte) []byte {
	frame := grpcweb.AppendTrailers(nil, lines)
	dst, _ = e.Feed(dst, frame, false)
	return dst
}

// Close implements Transform.
func (e *webEncoder) Close() {}
