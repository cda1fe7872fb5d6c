package h1

import "github.com/sluice-gateway/sluice/server/internal/message"

// Response parses a response head into a message.Response. The zero value is ready to use. Its
// results are valid after Done; before, they are working state. Reuse one for all responses of a
// connection or loop; do not copy it.
type Response struct {
	message.Response
	parser
}

// Reset makes r ready for the next response. ParseResponse does so by itself after Done; call it to
// use r for another connection in the middle of a head, or after a failure.
func (r *Response) Reset() {
	r.Response.Reset()
	r.parser = parser{}
}

// ParseResponse parses the response head at the start of buf. It is called like ParseRequest. A
// response that fails to parse is answered with 502 and the upstream's connection is closed. There
// is no lenience towards upstreams: their bytes may be a client's input echoed.
//
// hot: runs per response; no alloc, no lock.
func ParseResponse(r *Response, buf []byte, lim Limits) Status {
	lim.setDefaults()
	full := len(buf) >= lim.MaxHead
	if full {
		buf = buf[:lim.MaxHead]
	}
	if r.status == Done || cap(r.Fields) == 0 {
		r.Reset()
	} else if r.status > Done || r.wait(buf, full) {
		return r.status
	}
	st := Done
	if !r.inFields {
		st = r.parseStatusLine(buf)
	}
	if st == Done {
		st = r.parseFields(&r.Head, buf, lim.MaxFields)
	}
	switch {
	case st == Done:
		if err := r.finish(buf); err != ErrNone {
			st = err.failed()
		}
	case st != Incomplete:
	case !full:
		return r.pause(buf)
	default:
		st = ErrHeadTooLarge.failed()
	}
	r.status = st
	return st
}

// parseStatusLine parses "HTTP/1.x code [reason]" CR LF. The space before an empty reason may be
// missing: many servers leave it out, and no other reading exists.
func (r *Response) parseStatusLine(b []byte) Status {
	const form = "HTTP/0.0 000" // 0 stands for any digit
	w := message.Load(b, 0)
	if w != wordHTTP11 && w != wordHTTP10 || len(b) < len(form) || b[8] != ' ' ||
		message.Class[b[9]]&message.Class[b[10]]&message.Class[b[11]]&message.ClassDigit == 0 || b[9] == '0' {
		return statusLineFault(b, form)
	}
	r.Minor = b[7] - '0'
	r.Code = uint16(b[9]-'0')*100 + uint16(b[10]-'0')*10 + uint16(b[11]-'0')

	i := len(form)
	if i >= len(b) {
		return Incomplete
	}
	if b[i] == ' ' {
		i++
	} else if b[i] != '\r' && b[i] != '\n' {
		return ErrStatusCode.failed()
	}
	reason := i
	for {
		if i >= len(b) {
			return Incomplete
		}
		if c := b[i]; c < 0x20 && c != '\t' || c == 0x7f {
			break
		}
		i++
	}
	r.Reason = message.SpanOf(reason, i)
	switch {
	case b[i] == '\n':
		return ErrBareLF.failed()
	case b[i] != '\r':
		return ErrReason.failed()
	case i+1 >= len(b):
		return Incomplete
	case b[i+1] != '\n':
		return ErrBareCR.failed()
	}
	r.pos = i + 2
	r.inFields = true
	return Done
}

// statusLineFault returns the fault of the first bytes of a response, or Incomplete when they may
// still become valid.
func statusLineFault(b []byte, form string) Status {
	for i, c := range b[:min(len(b), len(form))] {
		switch {
		case i >= len("HTTP/0.0 "):
			if message.Class[c]&message.ClassDigit == 0 || i == len("HTTP/0.0 ") && c == '0' {
				return ErrStatusCode.failed()
			}
		case form[i] != c && (form[i] != '0' || message.Class[c]&message.ClassDigit == 0):
			return ErrVersion.failed()
		case i == 5 && c != '1', i == 7 && c > '1':
			return ErrVersionNotSupported.failed()
		}
	}
	return Incomplete
}

// finish applies the rules that need the whole head.
func (r *Response) finish(b []byte) Error {
	if err := checkFraming(&r.Head); err != ErrNone {
		return err
	}
	if err := r.finishConnection(&r.Head, b); err != ErrNone {
		return err
	}
	// RFC 9112 section 6.3 gives these no body, and RFC 9110 section 8.6 no length. A server that
	// announces one may send it too, and that must not be read as the next response. The length itself
	// is not passed on, since a client might believe it.
	if r.Code < 200 || r.Code == 204 {
		if r.Chunked || r.ContentLength > 0 {
			r.KeepAlive = false
		}
		if i := r.Find(message.FieldContentLength); i >= 0 {
			r.Fields[i].Hop = true
		}
	}
	return ErrNone
}
