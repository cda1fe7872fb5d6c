package h1

import "math/bits"

// Request is the index of a request head in the buffer it was parsed from. The zero value is ready
// to use. Reuse one for all requests of a connection or loop; do not copy it.
type Request struct {
	Head

	// MethodSpan is the method as sent.
	MethodSpan Span
	// Target is the request target as sent; forward this one.
	Target Span
	// Path is the path of the target, without the query. It is empty for a CONNECT, and where the
	// target is "http://host" (see EmptyPath).
	Path Span
	// Query is what follows the first '?' of the target, without it.
	Query Span
	// Authority is host[:port] that the request is for: the target's where it names one, else the
	// value of Host. Empty only in an HTTP/1.0 request without Host. RFC 9112 section 3.2.2 wants
	// it forwarded as Host; the two cannot differ in more than case and a default port, because
	// that is ErrHostConflict.
	Authority Span
	// Host is Authority without the port; brackets of an IP literal are kept. Its bytes are valid,
	// its case is as sent.
	Host Span
	// Port is the port of Authority, digits without the colon; empty when there is none.
	Port Span

	// Method is the method where it is known.
	Method Method
	// Form is the form of the target.
	Form TargetForm
	// TLSScheme says that an absolute-form target begins with https.
	TLSScheme bool
	// EmptyPath says that an absolute-form target has no path: forward "/", or "*" for OPTIONS.
	EmptyPath bool
	// HasBody says that a body follows the head: Chunked, or ContentLength above zero.
	HasBody bool
	// ExpectContinue says that the client waits for 100 before it sends the body.
	ExpectContinue bool
	// ExpectOther says that Expect holds something else: answer 417.
	ExpectOther bool
}

// Reset makes r ready for the next request. ParseRequest does so by itself after Done; call it to
// use r for another connection in the middle of a head, or after a failure.
func (r *Request) Reset() {
	fields := r.Fields
	if fields == nil {
		fields = make([]Field, 0, initialFields)
	}
	*r = Request{}
	r.Fields = fields[:0]
	r.ContentLength = -1
}

// ParseRequest parses the request head at the start of buf.
//
// On Incomplete call it again with the same bytes and more behind them (the buffer may have moved);
// r remembers where it was. On Done r describes the head, and the next call begins a new one. Any
// other Status is final, and the connection is to be closed after an answer with
// Status.Err().HTTPStatus(). CONNECT parses; refusing it is the caller's.
//
// hot: runs per request; no alloc, no lock.
func ParseRequest(r *Request, buf []byte, lim Limits) Status {
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
		st = r.parseRequestLine(buf, lim.MaxTarget)
	}
	if st == Done {
		st = r.parseFields(buf, lim.MaxFields)
	}
	switch {
	case st == Done:
		if err := r.finish(buf); err != ErrNone {
			st = err.failed()
		}
	case st != Incomplete:
	case !full:
		return r.pause(buf)
	case r.inFields:
		st = ErrHeadTooLarge.failed()
	default:
		st = ErrTargetTooLong.failed()
	}
	r.status = st
	return st
}

// Methods whose first four bytes tell them apart, little-endian.
const (
	wordGet  = 'G' | 'E'<<8 | 'T'<<16 | ' '<<24
	wordPost = 'P' | 'O'<<8 | 'S'<<16 | 'T'<<24
)

// parseRequestLine parses the request line, after one leading CR LF: RFC 9112 section 2.2.
func (r *Request) parseRequestLine(b []byte, maxTarget int) Status {
	i := 0
	if len(b) > 0 && b[0] == '\r' {
		if len(b) == 1 {
			return Incomplete
		}
		if b[1] != '\n' {
			return ErrBareCR.failed()
		}
		i = 2
	}
	start := i

	// Method.
	switch w := load(b, i); {
	case uint32(w) == wordGet:
		r.Method = MethodGet
		i += 3
	case uint32(w) == wordPost && byte(w>>32) == ' ':
		r.Method = MethodPost
		i += 4
	default:
		for i < len(b) && class[b[i]]&classToken != 0 {
			i++
		}
		switch {
		case i-start > maxMethod:
			return ErrMethod.failed()
		case i >= len(b):
			return Incomplete
		case b[i] != ' ' || i == start:
			return ErrMethod.failed()
		}
		r.Method = methodOf(b[start:i])
	}
	r.MethodSpan = span(start, i)
	i++

	// Target. Exactly its first maxTarget+1 bytes are looked at, whatever the split.
	target := i
	query := -1
	for {
		var word uint64
		if i <= len(b)-8 {
			word = unsafeLoad(b, i)
		} else {
			word = loadTail(b, i)
		}
		stops := targetStops(word)
		if stops == 0 {
			i += 8
			if i-target > maxTarget {
				return ErrTargetTooLong.failed()
			}
			continue
		}
		i += bits.TrailingZeros64(stops) >> 3
		if min(i, len(b))-target > maxTarget {
			return ErrTargetTooLong.failed()
		}
		if i >= len(b) {
			return Incomplete
		}
		if b[i] != '?' {
			break
		}
		if query < 0 {
			query = i
		}
		i++
	}
	if b[i] != ' ' {
		return targetError(b[i], i == target).failed()
	}
	end := i
	r.Target = span(target, end)

	// Version and end of line.
	i++
	if st := r.parseVersion(b, i); st != Done {
		return st
	}
	if err := r.parseTarget(b, target, end, query); err != ErrNone {
		return err.failed()
	}
	r.pos = i + len("HTTP/1.1\r\n")
	r.inFields = true
	return Done
}

// targetError names the fault of a target that contains c.
func targetError(c byte, empty bool) Error {
	switch {
	case c == '#':
		return ErrFragment
	case empty:
		return ErrTarget
	case c == '\r' || c == '\n':
		return ErrVersion // "GET /" alone is HTTP/0.9
	}
	return ErrTarget
}

const (
	wordHTTP11 = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '1'<<56
	wordHTTP10 = wordHTTP11 - 1<<56
	wordPRI    = "PRI"
)

// parseVersion parses "HTTP/1.x" CR LF at i.
func (r *Request) parseVersion(b []byte, i int) Status {
	if i+10 <= len(b) && b[i+8] == '\r' && b[i+9] == '\n' {
		switch load(b, i) {
		case wordHTTP11:
			r.Minor = 1
			return Done
		case wordHTTP10:
			r.Minor = 0
			return Done
		}
	}
	return r.versionFault(b, b[i:])
}

// versionFault says what is wrong with v, which begins where the version should, or Incomplete when
// v may still become right. It looks at no byte behind those that decide.
func (r *Request) versionFault(b, v []byte) Status {
	const form = "HTTP/0.0\r\n" // 0 stands for any digit
	for i, c := range v[:min(len(v), len(form))] {
		switch {
		case form[i] == c, form[i] == '0' && class[c]&classDigit != 0:
		case c == '\n' && i == len(form)-2:
			return ErrBareLF.failed()
		case i == len(form)-1:
			return ErrBareCR.failed()
		default:
			return ErrVersion.failed()
		}
	}
	if len(v) < len(form) {
		return Incomplete
	}
	if v[5] == '2' && v[7] == '0' && string(r.MethodSpan.Of(b)) == wordPRI && string(r.Target.Of(b)) == "*" {
		return ErrHTTP2Preface.failed()
	}
	return ErrVersionNotSupported.failed()
}

// finish applies the rules that need the whole head.
func (r *Request) finish(b []byte) Error {
	if err := r.finishHost(b); err != ErrNone {
		return err
	}
	if err := r.checkFraming(); err != ErrNone {
		return err
	}
	if err := r.finishConnection(b); err != ErrNone {
		return err
	}
	r.HasBody = r.Chunked || r.ContentLength > 0
	if r.seen.has(FieldExpect) {
		r.finishExpect(b)
	}
	return ErrNone
}

// finishExpect reads all Expect fields. An HTTP/1.0 client cannot mean it: RFC 9110 section 10.1.1.
func (r *Request) finishExpect(b []byte) {
	if r.Minor == 0 {
		return
	}
	for i := range r.Fields {
		if r.Fields[i].ID != FieldExpect {
			continue
		}
		v := r.Fields[i].Value.Of(b)
		for option, rest := nextElement(v); option != nil; option, rest = nextElement(rest) {
			if equalFold(option, "100-continue") {
				r.ExpectContinue = true
			} else {
				r.ExpectOther = true
			}
		}
	}
}
