package h1

import (
	"bytes"
	"math/bits"
)

// Limits bound a head. A zero field means its default.
type Limits struct {
	// MaxHead bounds the bytes of a head, start line and final empty line included: 431, or 414
	// when not even the request line fits. Default 64 KiB.
	MaxHead int
	// MaxFields bounds the number of field lines. Default 128.
	MaxFields int
	// MaxTarget bounds the bytes of a request target. Default 16 KiB.
	MaxTarget int
}

// Defaults of Limits.
const (
	DefaultMaxHead   = 64 << 10
	DefaultMaxFields = 128
	DefaultMaxTarget = 16 << 10
)

func (l *Limits) setDefaults() {
	if l.MaxHead <= 0 {
		l.MaxHead = DefaultMaxHead
	}
	if l.MaxFields <= 0 {
		l.MaxFields = DefaultMaxFields
	}
	if l.MaxTarget <= 0 {
		l.MaxTarget = DefaultMaxTarget
	}
}

// Head is what a Request and a Response have in common. The zero value is ready to use. Its results
// are valid after Done; before, they are the parser's working state. It may be reused for any number
// of messages but not copied while in use, because copies share Fields.
type Head struct {
	// Results, valid after Done:

	// Fields are the field lines in the order they came. The slice is reused by the next parse.
	Fields []Field
	// ContentLength is the value of Content-Length, -1 when there is none.
	ContentLength int64
	// HeadLen is the number of bytes of the head, the empty line and a skipped leading CR LF
	// included: the body begins at this offset.
	HeadLen int
	// Minor is the x of HTTP/1.x: 0 or 1.
	Minor uint8
	// Chunked says that the message has "Transfer-Encoding: chunked".
	Chunked bool
	// KeepAlive says that the peer lets the connection live after this message. For a Response the
	// framing decides as well, see Response.BodyKind.
	KeepAlive bool
	// Upgrade says that Connection lists "upgrade" and an Upgrade field is there. RFC 9110 section
	// 7.8 has it ignored in HTTP/1.0.
	Upgrade bool
	// UpgradeH2C says that Upgrade lists h2c. Passing that on would open a tunnel around every rule
	// of the gateway; treat such a request as if it had no Upgrade.
	UpgradeH2C bool
	// TETrailers says that TE lists "trailers": the sender wants trailers relayed. TE is hop-by-hop,
	// so whoever forwards the head says it anew.
	TETrailers bool

	// Owned by the parser, kept between calls that return Incomplete:

	seen      fieldSet // IDs that occurred
	status    Status   // Done and failures stick
	inFields  bool     // the start line is behind us
	close     bool     // Connection: close
	keepAlive bool     // Connection: keep-alive
	upgrade   bool     // Connection: upgrade
	nominates bool     // Connection lists something else
	pos       int      // first byte of the line to parse next
	scanned   int      // no LF between pos and here
	host      int      // index in Fields of Host
}

// reset makes h ready for the next message and keeps the capacity of Fields.
func (h *Head) reset() {
	fields := h.Fields[:0]
	if fields == nil {
		fields = make([]Field, 0, 24)
	}
	*h = Head{Fields: fields, ContentLength: -1}
}

// Has reports whether a field with the known name id occurs.
func (h *Head) Has(id FieldID) bool { return h.seen.has(id) }

// Find returns the index in Fields of the first field with the known name id, -1 when there is none.
func (h *Head) Find(id FieldID) int {
	if h.seen.has(id) {
		for i := range h.Fields {
			if h.Fields[i].ID == id {
				return i
			}
		}
	}
	return -1
}

// FindName returns the index of the first field at or after from whose name is name without regard
// to case, -1 when there is none. b is the buffer that was parsed.
func (h *Head) FindName(b []byte, name string, from int) int {
	for i := from; i < len(h.Fields); i++ {
		if n := h.Fields[i].Name; n.Len() == len(name) && equalFold(n.Of(b), name) {
			return i
		}
	}
	return -1
}

// Line returns the whole line of Fields[i], its CR LF included. Lines of consecutive fields are
// adjacent, so that a run of fields can be forwarded as one piece.
func (h *Head) Line(i int) Span {
	end := uint32(h.HeadLen - 2)
	if i+1 < len(h.Fields) {
		end = h.Fields[i+1].Name.Off
	}
	return Span{h.Fields[i].Name.Off, end}
}

// wait reports whether the line at pos, which did not end in an earlier call, still has no end, and
// remembers how far it looked: a line that comes byte by byte is scanned once, not once per byte.
// When the buffer is full the answer is no, so that what there is of the line is judged.
func (h *Head) wait(b []byte, full bool) bool {
	if h.scanned == 0 || full || bytes.IndexByte(b[h.scanned:], '\n') >= 0 {
		return false
	}
	h.scanned = len(b)
	return true
}

// pause ends a call that ran out of bytes in the line at pos.
func (h *Head) pause(b []byte) Status {
	h.scanned = len(b)
	return Incomplete
}

// parseFields parses field lines from h.pos up to and including the empty line. It returns with
// h.pos at the first byte of the line that is incomplete.
//
// hot: runs per request and per response; no alloc, no lock.
func (h *Head) parseFields(b []byte, maxFields int) Status {
	i := h.pos
	fields := h.Fields
	for i < len(b) {
		// The first byte of a line tells an empty line and a folded one.
		switch c := b[i]; c {
		case '\r':
			if i+1 >= len(b) {
				return h.keep(fields, i)
			}
			if b[i+1] != '\n' {
				return ErrBareCR.failed()
			}
			h.Fields = fields
			h.HeadLen = i + 2
			return Done
		case '\n':
			return ErrBareLF.failed()
		case ' ', '\t':
			return ErrObsFold.failed()
		}
		if len(fields) >= maxFields {
			return ErrTooManyFields.failed()
		}

		// Name: up to the colon.
		line := i
		first := load(b, i)
		w := first
		stops := nameStops(w)
		for stops == 0 {
			i += 8
			w = load(b, i)
			stops = nameStops(w)
		}
		i += bits.TrailingZeros64(stops) >> 3
		if i >= len(b) {
			return h.keep(fields, line)
		}
		if b[i] != ':' || i == line {
			return nameError(b[i]).failed()
		}
		id := FieldOther
		if n := i - line; n <= maxKnownName {
			id = lookupName(b, line, n, first)
		}
		if id == FieldOther && !isToken(b[line:i]) {
			return ErrFieldName.failed()
		}
		name := span(line, i)

		// Value: up to CR LF, without white space at its ends.
		i++
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		value := i
		for {
			stops = valueStops(load(b, i))
			if stops == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stops) >> 3
			if i >= len(b) {
				return h.keep(fields, line)
			}
			if b[i] != '\t' {
				break
			}
			i++
		}
		if b[i] != '\r' {
			return valueError(b[i]).failed()
		}
		if i+1 >= len(b) {
			return h.keep(fields, line)
		}
		if b[i+1] != '\n' {
			return ErrBareCR.failed()
		}
		end := i
		for end > value && (b[end-1] == ' ' || b[end-1] == '\t') {
			end--
		}
		i += 2

		fields = append(fields, Field{Name: name, Value: span(value, end), ID: id, Hop: hopFields.has(id)})
		if framedFields.has(id) {
			if err := h.framed(b, fields, id); err != ErrNone {
				return err.failed()
			}
		}
		h.seen |= 1 << id
	}
	return h.keep(fields, i)
}

// keep stores what parseFields has and returns Incomplete; line is where the incomplete line begins.
func (h *Head) keep(fields []Field, line int) Status {
	h.Fields = fields
	h.pos = line
	return Incomplete
}

// nameError names the fault of a field name that stops at c.
func nameError(c byte) Error {
	switch c {
	case ' ', '\t':
		return ErrSpaceInName
	case '\n':
		return ErrBareLF
	}
	return ErrFieldName
}

// valueError names the fault of a value that contains c.
func valueError(c byte) Error {
	if c == '\n' {
		return ErrBareLF
	}
	return ErrFieldValue
}

// framed takes note of the field just appended, whose ID is in framedFields.
func (h *Head) framed(b []byte, fields []Field, id FieldID) Error {
	v := fields[len(fields)-1].Value.Of(b)
	switch id {
	case FieldHost:
		if h.seen.has(id) {
			return ErrHostTwice
		}
		h.host = len(fields) - 1
	case FieldContentLength:
		if h.seen.has(id) {
			return ErrContentLengthTwice
		}
		n, ok := parseLength(v)
		if !ok {
			return ErrContentLength
		}
		h.ContentLength = n
	case FieldTransferEncoding:
		if h.seen.has(id) || !equalFold(v, "chunked") {
			return ErrTransferEncoding
		}
		h.Chunked = true
	case FieldConnection:
		h.connection(v)
	case FieldUpgrade:
		for option, rest := nextElement(v); option != nil; option, rest = nextElement(rest) {
			h.UpgradeH2C = h.UpgradeH2C || equalFold(option, "h2c")
		}
	case FieldTE:
		for option, rest := nextElement(v); option != nil; option, rest = nextElement(rest) {
			h.TETrailers = h.TETrailers || equalFold(option, "trailers")
		}
	}
	return ErrNone
}

// parseLength parses 1*DIGIT into 63 bits.
func parseLength(v []byte) (n int64, ok bool) {
	// 19 digits hold every int64, and 18 nines cannot overflow before the last digit is added.
	if len(v) == 0 || len(v) > 19 {
		return 0, false
	}
	for _, c := range v {
		if class[c]&classDigit == 0 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n >= 0
}

// checkFraming applies the rules that need the whole head.
func (h *Head) checkFraming() Error {
	if h.Chunked {
		if h.ContentLength >= 0 {
			return ErrBothLengths
		}
		if h.Minor == 0 {
			return ErrTransferEncodingOld
		}
	}
	return ErrNone
}
