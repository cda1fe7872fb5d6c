package h1

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/message"
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

// parser is the working state of parsing one head, kept between calls that return Incomplete.
type parser struct {
	status    Status // Done and failures stick
	inFields  bool   // the start line has been parsed
	close     bool   // Connection: close
	keepAlive bool   // Connection: keep-alive
	upgrade   bool   // Connection: upgrade
	nominates bool   // Connection lists something else
	trailer   bool   // the fields are a trailer section's, which frame nothing
	pos       int    // first byte of the line to parse next
	scanned   int    // no LF between pos and here
	host      int    // index in Fields of Host
}

// wait reports whether the line at pos, which did not end in an earlier call, still has no end, and
// remembers how far it looked: a line that comes byte by byte is scanned once, not once per byte.
// When the buffer is full it returns false, so that the line is judged by the bytes present.
func (p *parser) wait(b []byte, full bool) bool {
	if p.scanned == 0 || full || bytes.IndexByte(b[p.scanned:], '\n') >= 0 {
		return false
	}
	p.scanned = len(b)
	return true
}

// pause ends a call that ran out of bytes in the line at pos.
func (p *parser) pause(b []byte) Status {
	p.scanned = len(b)
	return Incomplete
}

// parseFields parses field lines from p.pos up to and including the empty line. On Incomplete p.pos is
// at the first byte of the incomplete line.
//
// Two passes, first over the lines, then over the names found, took a fifth less time than one:
// neither has a call in its loop, so their variables stay in registers. The first fault in the bytes
// is the one reported, as one pass would.
//
// hot: runs per request and per response; no alloc, no lock.
func (p *parser) parseFields(h *message.Head, b []byte, maxFields int) Status {
	known := len(h.Fields)
	st := p.indexLines(h, b, maxFields)
	if err := p.nameFields(h, b, known); err != ErrNone {
		return err.failed()
	}
	return st
}

// indexLines is the first pass: it appends the spans of names and values to Fields. Of the bytes of a
// name it only checks that none is a control byte or a space.
func (p *parser) indexLines(h *message.Head, b []byte, maxFields int) Status {
	fields := h.Fields
	i := p.pos
	last := len(b) - 8 // where a whole word can still be loaded
	var word uint64
	for uint(i) < uint(len(b)) && b[i] > ' ' {
		if len(fields) >= maxFields {
			return fault(h, fields, ErrTooManyFields)
		}

		// Name: up to the colon.
		line := i
		for {
			if i <= last {
				word = message.UnsafeLoad(b, i)
			} else {
				word = message.LoadTail(b, i)
			}
			if word = message.NameStops(word); word != 0 {
				break
			}
			i += 8
		}
		i += bits.TrailingZeros64(word) >> 3
		if uint(i) >= uint(len(b)) {
			return p.keep(h, fields, line)
		}
		if b[i] != ':' || i == line {
			return fault(h, fields, nameError(b[i]))
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
				word = message.UnsafeLoad(b, i)
			} else {
				word = message.LoadTail(b, i)
			}
			if word = message.ValueStops(word); word == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(word) >> 3
			if uint(i) >= uint(len(b)) {
				return p.keep(h, fields, line)
			}
			if b[i] != '\t' {
				break
			}
			i++
		}
		if c := b[i]; c != '\r' {
			return fault(h, fields, valueError(c))
		}
		end := i
		for end > value && b[end-1] <= ' ' { // only SP and HTAB come through valueStops
			end--
		}
		if i++; uint(i) >= uint(len(b)) {
			return p.keep(h, fields, line)
		}
		if b[i] != '\n' {
			return fault(h, fields, ErrBareCR)
		}
		i++

		n := len(fields)
		if n == cap(fields) {
			fields = slices.Grow(fields, n+1)
		}
		fields = fields[:n+1]
		f := &fields[n]
		f.Name = message.SpanOf(line, colon)
		f.Value = message.SpanOf(value, end)
	}
	return p.endFields(h, b, fields, i)
}

// nameFields is the second pass: it checks and identifies the names of the fields from known on, and
// notes those that frame the message.
func (p *parser) nameFields(h *message.Head, b []byte, known int) Error {
	fields := h.Fields[known:]
	for i := range fields {
		f := &fields[i]
		off, n := int(f.Name.Off), f.Name.Len()
		id := message.FieldOther
		if n <= message.MaxKnownName {
			id = message.LookupName(b, off, n)
		}
		if id == message.FieldOther && !message.IsPlain(f.Name.Of(b)) {
			if !message.IsToken(f.Name.Of(b)) {
				return ErrFieldName
			}
			id = message.FieldOdd
		}
		f.ID = id
		f.Hop = message.HopFields.Has(id)
		if message.FramedFields.Has(id) && !p.trailer {
			if err := p.framed(h, f.Value.Of(b), known+i, id); err != ErrNone {
				return err
			}
		}
		h.Seen |= 1 << (id & 63)
	}
	return ErrNone
}

// endFields looks at a line, beginning at i, whose first byte is no part of a name: it ends the head,
// is a fault, or is yet to come.
func (p *parser) endFields(h *message.Head, b []byte, fields []message.Field, i int) Status {
	if i >= len(b) {
		return p.keep(h, fields, i)
	}
	switch b[i] {
	case '\r':
		if i+1 >= len(b) {
			return p.keep(h, fields, i)
		}
		if b[i+1] != '\n' {
			return fault(h, fields, ErrBareCR)
		}
		h.Fields = fields
		h.HeadLen = i + 2
		return Done
	case '\n':
		return fault(h, fields, ErrBareLF)
	case ' ', '\t':
		return fault(h, fields, ErrObsFold)
	}
	return fault(h, fields, ErrFieldName)
}

// fault stores the lines indexed so far, for nameFields to look for a fault further to the front.
func fault(h *message.Head, fields []message.Field, err Error) Status {
	h.Fields = fields
	return err.failed()
}

// keep stores the lines parsed so far and returns Incomplete; line is where the incomplete line begins.
func (p *parser) keep(h *message.Head, fields []message.Field, line int) Status {
	h.Fields = fields
	p.pos = line
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

// framed notes the value v of Fields[i], whose ID is in framedFields.
func (p *parser) framed(h *message.Head, v []byte, i int, id message.FieldID) Error {
	switch id {
	case message.FieldHost:
		if h.Seen.Has(id) {
			return ErrHostTwice
		}
		p.host = i
	case message.FieldContentLength:
		if h.Seen.Has(id) {
			return ErrContentLengthTwice
		}
		n, ok := message.ParseLength(v)
		if !ok {
			return ErrContentLength
		}
		h.ContentLength = n
	case message.FieldTransferEncoding:
		if h.Seen.Has(id) || !message.EqualFold(v, "chunked") {
			return ErrTransferEncoding
		}
		h.Chunked = true
	case message.FieldConnection:
		p.connection(v)
	case message.FieldUpgrade:
		for option, rest := message.NextElement(v); option != nil; option, rest = message.NextElement(rest) {
			h.UpgradeH2C = h.UpgradeH2C || message.EqualFold(option, "h2c")
		}
	case message.FieldTE:
		for option, rest := message.NextElement(v); option != nil; option, rest = message.NextElement(rest) {
			h.TETrailers = h.TETrailers || message.EqualFold(option, "trailers")
		}
	}
	return ErrNone
}

// checkFraming applies the rules that need the whole head.
func checkFraming(h *message.Head) Error {
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
