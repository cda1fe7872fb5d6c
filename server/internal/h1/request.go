package h1

import (
	"math/bits"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Request parses a request head into a message.Request. The zero value is ready to use. Its results
// are valid after Done; before, they are working state. Reuse one for all requests of a connection or
// loop; do not copy it.
type Request struct {
	message.Request
	parser
}

// Reset makes r ready for the next request. ParseRequest does so by itself after Done; call it to
// use r for another connection in the middle of a head, or after a failure.
func (r *Request) Reset() {
	r.Request.Reset()
	r.parser = parser{}
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

// maxEmptyLines bounds the empty lines in front of a request. Old clients send one behind a body, a
// person typing a few; more only keep the connection busy.
const maxEmptyLines = 4

// skipEmptyLines returns where the first line that is not empty begins: RFC 9112 section 2.2. A LF ends
// an empty line without a CR before it, too: a line without bytes can hide nothing.
func skipEmptyLines(b []byte) (i int, st Status) {
	for lines := 0; i < len(b); lines++ {
		end := i
		if b[i] == '\r' {
			end++
			if end == len(b) {
				return i, Incomplete
			}
		}
		switch {
		case b[end] == '\n' && lines < maxEmptyLines:
			i = end + 1
		case end > i && b[end] != '\n':
			return i, ErrBareCR.failed()
		default:
			return i, Done // a further empty line is not skipped; no method begins with CR or LF
		}
	}
	return i, Incomplete
}

// parseRequestLine parses the request line, behind a few empty ones.
func (r *Request) parseRequestLine(b []byte, maxTarget int) Status {
	i := 0
	if len(b) > 0 && b[0] < ' ' {
		var st Status
		if i, st = skipEmptyLines(b); st != Done {
			return st
		}
	}
	start := i

	// Method.
	switch w := message.Load(b, i); {
	case uint32(w) == wordGet:
		r.Method = message.MethodGet
		i += 3
	case uint32(w) == wordPost && byte(w>>32) == ' ':
		r.Method = message.MethodPost
		i += 4
	default:
		for i < len(b) && message.Class[b[i]]&message.ClassToken != 0 {
			i++
		}
		switch {
		case i-start > message.MaxMethod:
			return ErrMethod.failed()
		case i >= len(b):
			return Incomplete
		case b[i] != ' ' || i == start:
			return ErrMethod.failed()
		}
		r.Method = message.MethodOf(b[start:i])
	}
	r.MethodSpan = message.SpanOf(start, i)
	i++

	// Target. Exactly its first maxTarget+1 bytes are looked at, whatever the split.
	target := i
	query := -1
	for {
		var word uint64
		if i <= len(b)-8 {
			word = message.UnsafeLoad(b, i)
		} else {
			word = message.LoadTail(b, i)
		}
		stops := message.TargetStops(word)
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
	r.Target = message.SpanOf(target, end)

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
		switch message.Load(b, i) {
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

// versionFault returns the fault of v, which begins where the version should, or Incomplete when v
// may still become valid. It looks at no byte behind the deciding ones.
func (r *Request) versionFault(b, v []byte) Status {
	const form = "HTTP/0.0\r\n" // 0 stands for any digit
	for i, c := range v[:min(len(v), len(form))] {
		switch {
		case form[i] == c, form[i] == '0' && message.Class[c]&message.ClassDigit != 0:
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
	if err := checkFraming(&r.Head); err != ErrNone {
		return err
	}
	if err := r.finishConnection(&r.Head, b); err != ErrNone {
		return err
	}
	r.HasBody = r.Chunked || r.ContentLength > 0
	if r.Seen.Has(message.FieldExpect) {
		r.ReadExpect(b)
	}
	return ErrNone
}
