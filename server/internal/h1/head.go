package h1

import (
	"bytes"
	"math/bits"
	"slices"
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

// initialFields is the room made for Fields at first use: most heads have fewer.
const initialFields = 24

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

// parseFields parses field lines from h.pos up to and including the empty line. On Incomplete h.pos is
// at the first byte of the line that is incomplete.
//
// Two passes, first over the lines, then over the names found, took a fifth less time than one:
// neither has a call in its loop, so their variables stay in registers. The first fault in the bytes
// is the one reported, as one pass would.
//
// hot: runs per request and per response; no alloc, no lock.
func (h *Head) parseFields(b []byte, maxFields int) Status {
	known := len(h.Fields)
	st := h.indexLines(b, maxFields)
	if err := h.nameFields(b, known); err != ErrNone {
		return err.failed()
	}
	return st
}

// indexLines is the first pass: it appends the spans of names and values to Fields. Of the bytes of a
// name it only checks that none is a control byte or a space.
func (h *Head) indexLines(b []byte, maxFields int) Status {
	fields := h.Fields
	i := h.pos
	last := len(b) - 8 // where a whole word can still be loaded
	var word uint64
	for uint(i) < uint(len(b)) && b[i] > ' ' {
		if len(fields) >= maxFields {
			return h.fault(fields, ErrTooManyFields)
		}

		// Name: up to the colon.
		line := i
		for {
			if i <= last {
				word = unsafeLoad(b, i)
			} else {
				word = loadTail(b, i)
			}
			if word = nameStops(word); word != 0 {
				break
			}
			i += 8
		}
		i += bits.TrailingZeros64(word) >> 3
		if uint(i) >= uint(len(b)) {
			return h.keep(fields, line)
		}
		if b[i] != ':' || i == line {
			return h.fault(fields, nameError(b[i]))
		}
		colon := i

		// Value: up to CR LF, without white space at its ends.
		i++
		if uint(i) < uint(len(b)) && b[i] == ' ' {
			i++
		}
		for uint(i) < uint(len(b)) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		value := i
		for {
			if i <= last {
				word = unsafeLoad(b, i)
			} else {
				word = loadTail(b, i)
			}
			if word = valueStops(word); word == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(word) >> 3
			if uint(i) >= uint(len(b)) {
				return h.keep(fields, line)
			}
			if b[i] != '\t' {
				break
			}
			i++
		}
		if c := b[i]; c != '\r' {
			return h.fault(fields, valueError(c))
		}
		end := i
		for end > value && b[end-1] <= ' ' { // only SP and HTAB come through valueStops
			end--
		}
		if i++; uint(i) >= uint(len(b)) {
			return h.keep(fields, line)
		}
		if b[i] != '\n' {
			return h.fault(fields, ErrBareCR)
		}
		i++

		n := len(fields)
		if n == cap(fields) {
			fields = slices.Grow(fields, n+1)
		}
		fields = fields[:n+1]
		f := &fields[n]
		f.Name = span(line, colon)
		f.Value = span(value, end)
	}
	return h.endFields(b, fields, i)
}

// nameFields is the second pass: it checks and identifies the names of the fields from known on, and
// takes note of those that frame the message.
func (h *Head) nameFields(b []byte, known int) Error {
	fields := h.Fields[known:]
	for i := range fields {
		f := &fields[i]
		off, n := int(f.Name.Off), f.Name.Len()
		id := FieldOther
		if n <= maxKnownName {
			id = lookupName(b, off, n)
		}
		f.ID = id
		f.Hop = hopFields.has(id)
		if id == FieldOther && !isToken(f.Name.Of(b)) {
			return ErrFieldName
		}
		if framedFields.has(id) {
			if err := h.framed(f.Value.Of(b), known+i, id); err != ErrNone {
				return err
			}
		}
		h.seen |= 1 << (id & 63)
	}
	return ErrNone
}

// endFields looks at a line, beginning at i, whose first byte is no part of a name: it ends the head,
// is a fault, or is yet to come.
func (h *Head) endFields(b []byte, fields []Field, i int) Status {
	if i >= len(b) {
		return h.keep(fields, i)
	}
	switch b[i] {
	case '\r':
		if i+1 >= len(b) {
			return h.keep(fields, i)
		}
		if b[i+1] != '\n' {
			return h.fault(fields, ErrBareCR)
		}
		h.Fields = fields
		h.HeadLen = i + 2
		return Done
	case '\n':
		return h.fault(fields, ErrBareLF)
	case ' ', '\t':
		return h.fault(fields, ErrObsFold)
	}
	return h.fault(fields, ErrFieldName)
}

// fault stores what indexLines has, for nameFields to look for a fault further to the front.
func (h *Head) fault(fields []Field, err Error) Status {
	h.Fields = fields
	return err.failed()
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

// framed takes note of the value v of Fields[i], whose ID is in framedFields.
func (h *Head) framed(v []byte, i int, id FieldID) Error {
	switch id {
	case FieldHost:
		if h.seen.has(id) {
			return ErrHostTwice
		}
		h.host = i
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
