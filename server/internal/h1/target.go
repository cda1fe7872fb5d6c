package h1

import "bytes"

// TargetForm is one of the four forms of a request target: RFC 9112 section 3.2.
type TargetForm uint8

const (
	// OriginForm is "/path?query".
	OriginForm TargetForm = iota
	// AbsoluteForm is "http://host/path?query".
	AbsoluteForm
	// AuthorityForm is "host:port", with CONNECT only.
	AuthorityForm
	// AsteriskForm is "*", with OPTIONS only.
	AsteriskForm
)

// parseTarget tells the form of the target, which lies at b[off:end] and whose first '?' is at
// query (-1 when there is none), and checks that it suits the method.
func (r *Request) parseTarget(b []byte, off, end, query int) Error {
	r.Form = OriginForm
	pathEnd := end
	r.Query = span(end, end)
	if query >= 0 {
		pathEnd = query
		r.Query = span(query+1, end)
	}
	r.Path = span(off, pathEnd)
	switch {
	case off == end:
		return ErrTarget
	case r.Method == MethodConnect:
		r.Form = AuthorityForm
		r.Path = span(off, off)
		r.Authority = r.Target
		if !r.setAuthority(b) || r.Port.Empty() {
			return ErrTarget
		}
		return ErrNone
	case b[off] == '/':
		return ErrNone
	case b[off] == '*' && end-off == 1:
		if r.Method != MethodOptions {
			return ErrTarget
		}
		r.Form = AsteriskForm
		return ErrNone
	}
	return r.parseAbsolute(b, off, pathEnd)
}

// parseAbsolute takes the authority out of "http://authority/path"; pathEnd is where the query or
// the target ends. User information is refused with the rest of what is no host: RFC 9110 section
// 4.2.4.
func (r *Request) parseAbsolute(b []byte, off, pathEnd int) Error {
	r.Form = AbsoluteForm
	t := b[off:pathEnd]
	switch {
	case len(t) >= 7 && equalFold(t[:7], "http://"):
		off += 7
	case len(t) >= 8 && equalFold(t[:8], "https://"):
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
	r.Authority = span(off, off+slash)
	r.Path = span(off+slash, pathEnd)
	if !r.setAuthority(b) {
		return ErrTarget
	}
	return ErrNone
}

// finishHost checks Host and settles the authority.
func (r *Request) finishHost(b []byte) Error {
	if !r.seen.has(FieldHost) {
		if r.Minor == 1 {
			return ErrHostMissing
		}
		return ErrNone
	}
	v := r.Fields[r.host].Value
	if r.Form == OriginForm || r.Form == AsteriskForm {
		r.Authority = v
		if !r.setAuthority(b) {
			return ErrHost
		}
		return ErrNone
	}
	host, port, ok := splitAuthority(b, v)
	if !ok {
		return ErrHost
	}
	// RFC 9112 section 3.2.2 lets the target win over a Host that differs, and forbids a client to
	// send such a pair. Who sends it is after an upstream or a cache that picks the other one.
	if !equalFold(host.Of(b), r.Host.Of(b)) || r.portOf(b, port) != r.portOf(b, r.Port) {
		return ErrHostConflict
	}
	return ErrNone
}

// portOf returns the number of the port at s, the scheme's default when s is empty. s holds at most
// five digits.
func (r *Request) portOf(b []byte, s Span) int64 {
	if n, ok := parseLength(s.Of(b)); ok {
		return n
	}
	switch {
	case r.Form == AuthorityForm:
		return 443 // what a CONNECT without tricks is for; its own port is never empty
	case r.TLSScheme:
		return 443
	}
	return 80
}

// setAuthority sets Host and Port from Authority and reports whether it is valid.
func (r *Request) setAuthority(b []byte) (ok bool) {
	r.Host, r.Port, ok = splitAuthority(b, r.Authority)
	return ok
}

// splitAuthority splits host[:port] and reports whether it is valid: a non-empty reg-name with
// correct percent-encodings or a bracketed IPv6 address, and a port of at most 65535. A colon
// without a port is allowed (RFC 3986 section 3.2.3).
func splitAuthority(b []byte, s Span) (host, port Span, ok bool) {
	i, end := int(s.Off), int(s.End)
	if i < end && b[i] == '[' {
		i++
		for i < end && (class[b[i]]&classHex != 0 || b[i] == ':' || b[i] == '.') {
			i++
		}
		if i >= end || b[i] != ']' || i-int(s.Off) < 3 {
			return host, port, false
		}
		i++
	} else {
		for i < end {
			if class[b[i]]&classHost != 0 {
				i++
				continue
			}
			if b[i] != '%' || i+2 >= end || class[b[i+1]]&class[b[i+2]]&classHex == 0 {
				break
			}
			i += 3
		}
	}
	host = span(int(s.Off), i)
	if host.Empty() {
		return host, port, false
	}
	if i == end {
		return host, span(i, i), true
	}
	if b[i] != ':' || end-i > 6 {
		return host, port, false
	}
	port = span(i+1, end)
	n, digits := parseLength(port.Of(b))
	return host, port, port.Empty() || digits && n <= 65535
}
