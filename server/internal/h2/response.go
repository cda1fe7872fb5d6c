package h2

import "github.com/sluice-gateway/sluice/server/internal/message"

// startResponse checks :status and writes the status line. 101 does not exist here: section 8.6.
func (a *assembler) startResponse() {
	r := &a.resp
	v := a.value(pseudoStatus)
	if !a.has(pseudoStatus) {
		a.fault = FaultPseudoMissing
		return
	}
	if len(v) != 3 || v[0] < '1' || message.Class[v[0]]&message.Class[v[1]]&message.Class[v[2]]&message.ClassDigit == 0 {
		a.fault = FaultStatus
		return
	}
	code := uint16(v[0]-'0')*100 + uint16(v[1]-'0')*10 + uint16(v[2]-'0')
	if code == 101 {
		a.fault = FaultStatus
		return
	}
	if a.accepted = a.stream.extended && code >= 200 && code < 300; a.accepted {
		code = 101
	}
	r.Minor, r.KeepAlive, r.Code = 1, true, code
	a.arena = message.AppendStatusLine(a.arena, int(code))
	r.Reason = message.SpanOf(len("HTTP/1.1 200 "), len(a.arena)-2)
	if a.accepted {
		a.startUpgrade([]byte(a.stream.protocol))
	}
}

// finishResponse applies the rules that need the whole head. s is the stream it came on.
func (a *assembler) finishResponse(s *Stream, end bool) {
	r := &a.resp
	switch {
	case r.Code < 200 && r.Code != 101:
		if end {
			a.fault = FaultInterimEnd
			return
		}
	case a.accepted:
	case end && r.ContentLength > 0 && r.BodyKind(s.method) != message.BodyNone:
		a.fault = FaultLengthMismatch
		return
	case end && r.ContentLength < 0 && r.BodyKind(s.method) != message.BodyNone:
		r.ContentLength = 0 // without a field: there is no body
	case !end:
		r.Chunked = r.ContentLength < 0
	}
	// RFC 9110 section 8.6 gives these no length.
	if r.Code < 200 || r.Code == 204 {
		r.Chunked = false
		if i := r.Find(message.FieldContentLength); i >= 0 {
			r.Fields[i].Hop = true
		}
	}
}
