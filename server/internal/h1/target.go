package h1

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// parseTarget finds the form of the target, which lies at b[off:end] and whose first '?' is at
// query (-1 when there is none), and checks that it suits the method.
func (r *Request) parseTarget(b []byte, off, end, query int) Error {
	r.Form = message.OriginForm
	pathEnd := end
	r.Query = message.SpanOf(end, end)
	if query >= 0 {
		pathEnd = query
		r.Query = message.SpanOf(query+1, end)
	}
	r.Path = message.SpanOf(off, pathEnd)
	switch {
	case off == end:
		return ErrTarget
	case r.Method == message.MethodConnect:
		r.Form = message.AuthorityForm
		r.Path = message.SpanOf(off, off)
		r.Authority = r.Target
		if !r.SetAuthority(b) || r.Port.Empty() {
			return ErrTarget
		}
		return ErrNone
	case b[off] == '/':
		return ErrNone
	case b[off] == '*' && end-off == 1:
		if r.Method != message.MethodOptions {
			return ErrTarget
		}
		r.Form = message.AsteriskForm
		return ErrNone
	}
	return r.parseAbsolute(b, off, pathEnd)
}

// parseAbsolute takes the authority out of "http://authority/path"; pathEnd is where the query or the
// target ends. User information is refused like everything else that is no host: RFC 9110 section 4.2.4.
func (r *Request) parseAbsolute(b []byte, off, pathEnd int) Error {
	r.Form = message.AbsoluteForm
	t := b[off:pathEnd]
	switch {
	case len(t) >= 7 && message.EqualFold(t[:7], "http://"):
		off += 7
	case len(t) >= 8 && message.EqualFold(t[:8], "https://"):
		off += 8
		r.TLSScheme = true
	default:
		return ErrTarget
	}
	slash := bytes.IndexByte(b[off:pathEnd], '/')
	if slash < 0 {
		slash = pathEnd - off
		r.EmptyPath = true
	}
	r.Authority = message.SpanOf(off, off+slash)
	r.Path = message.SpanOf(off+slash, pathEnd)
	if !r.SetAuthority(b) {
		return ErrTarget
	}
	return ErrNone
}

// finishHost checks Host and settles the authority.
func (r *Request) finishHost(b []byte) Error {
	if !r.Seen.Has(message.FieldHost) {
		if r.Minor == 1 {
			return ErrHostMissing
		}
		return ErrNone
	}
	v := r.Fields[r.host].Value
	if r.Form == message.OriginForm || r.Form == message.AsteriskForm {
		r.Authority = v
		if !r.SetAuthority(b) {
			return ErrHost
		}
		return ErrNone
	}
	same, valid := r.SameAuthority(b, v)
	if !valid {
		return ErrHost
	}
	// RFC 9112 section 3.2.2 lets the target win over a Host that differs, and forbids a client to
	// send such a pair. A sender of one aims at an upstream or a cache that picks the other one.
	if !same {
		return ErrHostConflict
	}
	return ErrNone
}
