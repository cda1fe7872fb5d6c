package server

import (
	"bytes"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// gRPC-Web is what browsers speak, who see no trailers: see package grpcweb. Where the Backend of such a
// request speaks gRPC, a grpcWebSide stands between the Exchange and its client. To the Exchange it is a
// client that speaks gRPC, to the client a Backend that speaks gRPC-Web; the two sides that it stands
// between, and the Exchange, know nothing of it.
//
//	client ── downConn or downStream ── grpcWebSide ── Exchange ── upStream ── Endpoint
//	          HTTP/1 chunks, DATA       base64, trailers
//
// What a Backend answers that is not gRPC passes as it is, and so do answers to requests that did not come
// as far as a Backend: clients read the HTTP status of these.

// grpcWebSide translates for one Exchange. Made per request and never reused: whoever still holds it when
// the Exchange has ended finds the real side behind it. Owned by the loop.
type grpcWebSide struct {
	downSide
	x        *Exchange
	asked    grpcweb.Form // of the request
	answered grpcweb.Form // of the response; None where it passes as it is
	suffix   []byte       // of the request's media type

	// The request's body, where it is text.
	in      flow // as it comes from the client
	decoder grpcweb.Decoder
	inEnd   bool // all of it was read
	faulty  bool // it was refused

	wire form // how the response's body goes out
}

// translateWeb has x translated where the Backend speaks p and that is gRPC.
func (x *Exchange) translateWeb(p routing.Protocol, req *message.Request, head []byte) {
	if p != routing.GRPC && p != routing.GRPCS || x.method != message.MethodPost {
		x.web = grpcweb.None
		return
	}
	_, suffix := grpcweb.Parse(fieldValue(&req.Head, head, message.FieldContentType))
	x.grpc = true
	x.c = &grpcWebSide{
		downSide: x.c, x: x, asked: x.web, answered: acceptedWeb(req, head, x.web), suffix: bytes.Clone(suffix),
	}
}

// retranslateWeb does the same anew for another Backend than that of the Route.
func (x *Exchange) retranslateWeb(p routing.Protocol, req *message.Request, head []byte) {
	if x.method != message.MethodPost {
		return
	}
	if s, ok := x.c.(*grpcWebSide); ok {
		x.c = s.downSide
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

// translate makes the request that goes upstream: its head, and early, the bytes of the body that came with
// it. It returns what early became, and false where x has ended.
func (s *grpcWebSide) translate(req *message.Request, head, early []byte) ([]byte, bool) {
	x := s.x
	for i := range req.Fields {
		if f := &req.Fields[i]; f.ID == message.FieldContentType {
			f.Hop = true
		}
	}
	req.TETrailers = true
	x.edits.add = grpcweb.AppendNative(append(x.edits.add, "Content-Type: "...), s.suffix)
	x.edits.add = append(x.edits.add, '\r', '\n')
	if s.asked != grpcweb.Text {
		return early, true
	}
	// From here on the Exchange sees the body decoded, as one that ends when this side says so.
	s.in = x.up
	s.inEnd = s.in.done
	x.up = flow{}
	x.up.begin(frameStream, formBare, 0)
	early, ok := s.decoder.Decode(make([]byte, 0, len(early)), early)
	if !ok || s.inEnd && !s.decoder.Complete() {
		s.refuseBody(failText)
		return nil, false
	}
	_, _, _ = x.up.take(early, nil)
	x.up.done = s.inEnd
	return early, true
}

// refuseBody ends x because of what the client sent.
func (s *grpcWebSide) refuseBody(f *failure) {
	s.faulty = true
	s.x.upClose = true
	s.x.fail(f)
}

// What follows is the request's body. Text is decoded as it is read, so that nothing is ever held here.

func (s *grpcWebSide) plain() *sock { return nil }

func (s *grpcWebSide) held() []byte {
	if s.asked == grpcweb.Text {
		return nil
	}
	return s.downSide.held()
}

func (s *grpcWebSide) lastHeld() bool { return s.asked != grpcweb.Text && s.downSide.lastHeld() }

func (s *grpcWebSide) trailers() []byte {
	if s.asked == grpcweb.Text {
		return nil // gRPC has none in requests
	}
	return s.downSide.trailers()
}

func (s *grpcWebSide) ended() bool {
	if s.asked == grpcweb.Text {
		return s.inEnd && !s.faulty
	}
	return s.downSide.ended()
}

// lost implements side: a client that ended before the end of the text is as good as gone.
func (s *grpcWebSide) lost() bool {
	if s.faulty {
		return false // its answer is on the way
	}
	cut := s.asked == grpcweb.Text && !s.inEnd && !s.in.endless() && s.downSide.ended()
	return cut || s.downSide.lost()
}

// read implements side. It reads on while what comes completes no byte: a socket that was not read empty
// is not reported again.
func (s *grpcWebSide) read(p []byte) int {
	if s.asked != grpcweb.Text {
		return s.downSide.read(p)
	}
	w := s.x.w
	for round := 0; !s.inEnd && !s.faulty; round++ {
		if round == rounds {
			w.Again(s)
			return 0
		}
		raw := s.downSide.held()
		held := len(raw) > 0
		if held {
			raw = raw[:min(len(raw), len(p)-grpcweb.Ahead)]
		} else {
			n := s.downSide.read(p[grpcweb.Ahead:])
			if n == 0 {
				if s.in.endless() && s.downSide.ended() && !s.downSide.lost() {
					s.endText()
				}
				return 0
			}
			raw = p[grpcweb.Ahead:][:n]
		}
		text, n, err := s.in.take(raw, w.chunk)
		if !held {
			s.downSide.keep(raw[n:])
		}
		decoded, ok := s.decoder.Decode(p[:0], text)
		if held {
			s.downSide.drop(n)
		}
		s.x.reqBytes += int64(n - len(decoded)) // the Exchange counts the rest
		switch {
		case err == h1.ErrTrailerTooLarge:
			s.refuseBody(failTrailer)
		case err != h1.ErrNone:
			s.refuseBody(failChunk)
		case !ok:
			s.refuseBody(failText)
		case s.in.done:
			s.endText()
		}
		if s.faulty {
			return 0
		}
		if len(decoded) > 0 {
			return len(decoded)
		}
	}
	return 0
}

// endText takes note that the whole text was read.
func (s *grpcWebSide) endText() {
	s.inEnd = true
	if !s.decoder.Complete() {
		s.refuseBody(failText)
	}
}

// What follows is the response.

// form implements downSide: bare bytes come here; how they leave is wire.
func (s *grpcWebSide) form(*Exchange, framing) form { return formBare }

// sendHead implements downSide. The first bytes of the body are sent by themselves.
func (s *grpcWebSide) sendHead(x *Exchange, resp *message.Response, head, body []byte, last bool) int {
	suffix, native := grpcweb.Native(fieldValue(&resp.Head, head, message.FieldContentType))
	var status []byte
	from := x.down.from
	if !native {
		s.answered = grpcweb.None
	} else {
		ends := x.u.ended()
		if !ends {
			// Whatever length it has, trailers may follow.
			x.down.begin(frameStream, formBare, 0)
			last = false
		}
		x.down.length = -1
		from = frameStream
		status = s.translateHead(resp, head, ends)
		if len(suffix) == 0 {
			suffix = s.suffix
		}
		x.edits.respAdd = s.answered.AppendType(append(x.edits.respAdd, "Content-Type: "...), suffix)
		x.edits.respAdd = append(x.edits.respAdd, '\r', '\n')
	}
	s.wire = s.downSide.form(x, from)
	end := last && len(body) == 0 && len(status) == 0 && s.wire == formBare
	x.down.form = s.wire // which is what the head speaks of
	n := s.downSide.sendHead(x, resp, head, nil, end)
	x.down.form = formBare
	if len(body) > 0 {
		s.send(body, last && len(status) == 0)
	}
	switch {
	case len(status) > 0:
		s.sendTrailers(status)
	case last && !end && len(body) == 0:
		s.send(nil, true)
	}
	return n + len(body)
}

// translateHead marks what has no place in the head of a translated response. Where that head is all of
// the response (Trailers-Only) it returns the lines of its status, which go into the body: a browser
// shows a script no other field of a foreign origin than those it was told to.
func (s *grpcWebSide) translateHead(resp *message.Response, head []byte, only bool) (status []byte) {
	for i := range resp.Fields {
		f := &resp.Fields[i]
		switch f.ID {
		case message.FieldContentType, message.FieldTrailer:
			f.Hop = true
		case message.FieldOther:
			if name := f.Name.Of(head); only && isGRPCStatus(name) {
				f.Hop = true
				status = h1.AppendField(status, name, f.Value.Of(head))
			}
		}
	}
	return status
}

// isGRPCStatus reports whether a field is part of the status that ends a call.
func isGRPCStatus(name []byte) bool {
	return message.EqualFold(name, "grpc-status") || message.EqualFold(name, "grpc-message") ||
		message.EqualFold(name, "grpc-status-details-bin")
}

// webPiece is how much of a body is encoded at a time: as text, in a chunk, it fits in a worker's out. It
// is a multiple of three, so that only the last piece is padded.
const webPiece = 45 << 10

// send implements side. What one call sends as text is one part, so that the client can read it at once.
func (s *grpcWebSide) send(p []byte, last bool) {
	w := s.x.w
	if s.answered != grpcweb.Text && s.wire == formBare {
		s.downSide.send(p, last)
		return
	}
	for len(p) > 0 || last {
		piece := p[:min(len(p), webPiece)]
		p = p[len(piece):]
		end := last && len(p) == 0
		out := w.out[:0]
		n := len(piece)
		if s.answered == grpcweb.Text {
			n = grpcweb.TextLen(n)
		}
		if s.wire == formChunks && n > 0 {
			out = h1.AppendChunkHeader(out, n)
		}
		if s.answered == grpcweb.Text {
			out = grpcweb.AppendText(out, piece)
		} else {
			out = append(out, piece...)
		}
		if s.wire == formChunks {
			if n > 0 {
				out = append(out, '\r', '\n')
			}
			if end {
				out = append(out, h1.LastChunk...)
			}
		}
		s.x.sentBytes += int64(len(out) - len(piece)) // the Exchange counts the rest
		s.downSide.send(out, end)
		if end {
			return
		}
	}
}

// sendTrailers implements side.
func (s *grpcWebSide) sendTrailers(lines []byte) {
	switch {
	case s.answered != grpcweb.None:
		frame := grpcweb.AppendTrailers(nil, lines)
		s.x.sentBytes += int64(len(frame))
		s.send(frame, true)
	case s.wire == formChunks:
		out := append([]byte("0\r\n"), lines...)
		s.downSide.send(append(out, '\r', '\n'), true)
	default:
		s.downSide.sendTrailers(lines)
	}
}

// answer implements downSide: an answer in gRPC's form, as refuseGRPC gives it, is translated.
func (s *grpcWebSide) answer(x *Exchange, status int, fields, body []byte) int {
	var kept, lines []byte
	native := false
	for rest := fields; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case message.EqualFold(name, "content-type"):
			var suffix []byte
			if suffix, native = grpcweb.Native(value); native {
				if len(suffix) == 0 {
					suffix = s.suffix
				}
				value = s.answered.AppendType(nil, suffix)
			}
			kept = h1.AppendField(kept, name, value)
		case isGRPCStatus(name):
			lines = h1.AppendField(lines, name, value)
		default:
			kept = append(append(kept, line...), '\r', '\n')
		}
	}
	if !native || len(lines) == 0 || len(body) > 0 {
		return s.downSide.answer(x, status, fields, body)
	}
	body = grpcweb.AppendTrailers(nil, lines)
	if s.answered == grpcweb.Text {
		body = grpcweb.AppendText(nil, body)
	}
	return s.downSide.answer(x, status, kept, body)
}

// cut implements downSide.
func (s *grpcWebSide) cut(x *Exchange) {
	x.down.form = s.wire // which says what an end would look like
	s.downSide.cut(x)
}
