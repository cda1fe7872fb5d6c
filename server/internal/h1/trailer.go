package h1

import "github.com/sluice-gateway/sluice/server/internal/message"

// trailerStep consumes one byte of the trailer section.
func (c *Chunked) trailerStep(b byte) Error {
	if c.line++; c.line > MaxTrailer+2 { // 2 for the empty line
		return ErrTrailerTooLarge
	}
	switch c.state {
	case trailerLine:
		if b == '\r' {
			c.state = trailerEndLF
			return ErrNone
		}
		if b == '\n' {
			return ErrBareLF
		}
		if c.count++; c.count > MaxTrailerFields {
			return ErrTrailerTooLarge
		}
		c.named = false
		c.state = trailerName
		return c.trailerName(b)
	case trailerName:
		return c.trailerName(b)
	case trailerValue:
		switch {
		case b == '\r':
			c.state = trailerLF
		case b == '\n':
			return ErrBareLF
		case b < 0x20 && b != '\t', b == 0x7f:
			return ErrTrailer
		}
	case trailerLF, trailerEndLF:
		if b != '\n' {
			return ErrBareCR
		}
		if c.state == trailerEndLF {
			c.state = chunkDone
		} else {
			c.state = trailerLine
		}
	}
	return ErrNone
}

// trailerName consumes one byte of a trailer field's name, or the colon behind it.
func (c *Chunked) trailerName(b byte) Error {
	switch {
	case b == ':' && c.named:
		c.state = trailerValue
	case message.Class[b]&message.ClassToken == 0:
		return ErrTrailer
	}
	c.named = true
	return ErrNone
}

// ParseTrailer indexes a trailer section gathered from PartTrailer pieces and appends its fields to dst;
// it allocates only when dst has no room. Field.Hop marks those of one connection only; the caller must
// ignore those in message.NotTrailers, as RFC 9110 section 6.5.1 has recipients do. raw has been
// validated by Chunked, so an error can only come from other bytes.
func ParseTrailer(dst []message.Field, raw []byte) ([]message.Field, Error) {
	h := message.Head{Fields: dst}
	p := parser{trailer: true}
	for {
		switch st := p.parseFields(&h, raw, len(dst)+MaxTrailerFields); {
		case st == Done, st == Incomplete && p.pos < len(raw):
			return dst, ErrTrailer
		case st != Incomplete:
			return dst, st.Err()
		default:
			return h.Fields, ErrNone
		}
	}
}
