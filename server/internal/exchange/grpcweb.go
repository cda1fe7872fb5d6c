package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// gRPC-Web is what browsers speak, who see no trailers: see package grpcweb. Where the Backend of such a
// request speaks gRPC, the gateway translates: heads here, bodies with a Transform for each direction, which stand
// outermost, so that Filters see gRPC.
//
//	client ── webDecoder ── Transforms of Filters ──► Endpoint      base64 is taken off
//	client ◄── webEncoder ── Transforms of Filters ── Endpoint      trailers become a part of the body, base64 is put on
//
// What a Backend answers that is not gRPC passes as it is, and so do answers to requests that did not come
// as far as a Backend: clients read the HTTP status of these.

// translation is what is known of an Exchange that is translated.
type translation struct {
	answered grpcweb.Form // of the response; None where it passes as it is
	suffix   []byte       // of the request's media type
}

// appendType appends the field of the response's media type, with the Backend's suffix or, where it has none, the client's.
func (t *translation) appendType(dst, suffix []byte) []byte {
	if len(suffix) == 0 {
		suffix = t.suffix
	}
	dst = t.answered.AppendType(append(dst, "Content-Type: "...), suffix)
	return append(dst, '\r', '\n')
}

// translated reports that the client speaks gRPC-Web and the Backend gRPC.
func (x *Core) translated() bool { return x.web != grpcweb.None && x.grpc }

// translateWeb has x translated where the Backend speaks p and that is gRPC.
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

// retranslateWeb does the same anew for another Backend than that of the Route.
func (x *Core) retranslateWeb(p routing.Protocol, req *message.Request, head []byte) {
	if x.method != message.MethodPost {
		return
	}
	if x.grpc, x.web = isGRPC(req, head); x.web != grpcweb.None {
		x.translateWeb(p, req, head)
	}
}

// acceptedWeb returns the form of the response: the first that the client accepts, or that of its request.
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

// webRequest changes the head that goes upstream.
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

// webResponse changes the head that goes to the client, and reports whether the response is gRPC, whose body is to be
// translated. Where that head is all of the response (Trailers-Only) it returns the lines of its status, which go into the
// body: a browser shows a script no other field of a foreign origin than those it was told to.
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

// cutStatus moves the lines that are part of the status that ends a call behind those of status. What is kept stays in place.
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

// isGRPCStatus reports whether a field is part of the status that ends a call.
func isGRPCStatus(name []byte) bool {
	return message.EqualFold(name, "grpc-status") || message.EqualFold(name, "grpc-message") ||
		message.EqualFold(name, "grpc-status-details-bin")
}

// webAnswer translates an answer of the gateway's own in gRPC's form, as appendGRPCRefusal gives it; others stay.
func (x *Core) webAnswer(o *reply) {
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

// webDecoder is the Transform of a request's text.
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

// webEncoder is the Transform of a response.
type webEncoder struct{ form grpcweb.Form }

// Feed implements Transform. What one call makes as text is one part, so that the client can read it at once.
func (e *webEncoder) Feed(dst, p []byte, _ bool) ([]byte, bool) {
	if e.form == grpcweb.Text {
		return grpcweb.AppendText(dst, p), true
	}
	return append(dst, p...), true
}

// Trailers implements TrailerTransform.
func (e *webEncoder) Trailers(dst, lines []byte) (out, rest []byte) { return e.status(dst, lines), nil }

// status appends the frame that ends a call.
func (e *webEncoder) status(dst, lines []byte) []byte {
	frame := grpcweb.AppendTrailers(nil, lines)
	dst, _ = e.Feed(dst, frame, false)
	return dst
}

// Close implements Transform.
func (e *webEncoder) Close() {}
