package h1

import "github.com/sluice-gateway/sluice/server/internal/message"

// Bounds of a chunked body's framing. They are constants because no legitimate sender comes near.
const (
	// MaxChunkExtension bounds the bytes of the extensions of one chunk.
	MaxChunkExtension = 1024
	// MaxChunkExtensions bounds the number of extensions of one chunk.
	MaxChunkExtensions = 16
	// MaxChunkOverhead bounds extension bytes in excess of data: a body of one-byte chunks with long
	// extensions costs much and carries little.
	MaxChunkOverhead = 16 << 10
	// MaxTrailer bounds the bytes of a trailer section.
	MaxTrailer = 8 << 10
	// MaxTrailerFields bounds the number of trailer fields.
	MaxTrailerFields = 64
)

// chunkState is the kind of byte that must come next.
type chunkState uint8

const (
	chunkSize      chunkState = iota // first digit of a size
	chunkDigits                      // further digits, ';' or CR
	chunkExtension                   // extension bytes or CR
	chunkQuoted                      // inside a quoted extension value
	chunkEscape                      // after a backslash in it
	chunkSizeLF                      // LF after the size
	chunkData                        // data
	chunkDataCR                      // CR after the data
	chunkDataLF                      // LF after the data
	trailerLine                      // first byte of a trailer line or CR
	trailerName                      // field name or ':'
	trailerValue                     // field value or CR
	trailerLF                        // LF after the value
	trailerEndLF                     // LF that ends the message
	chunkDone
)

// Chunked follows the framing of one chunked body (RFC 9112 section 7.1) over any split. The zero value stands
// before the first byte. It holds no buffer, so an idle one costs nothing but itself; copy it freely. Use either
// Feed or Next for a body; Next also takes a trailer section, before which Feed stops. An Error is final.
//
// Strict where parsers differ: a size is 1 to 16 hexadecimal digits with nothing around them, lines
// end in CR LF only, extensions contain no control byte but HTAB, and a trailer field has a valid
// name and value.
type Chunked struct {
	remain   int64  // data bytes to come in this chunk
	taken    int64  // data bytes consumed
	overhead int32  // extension bytes in excess of data
	line     int32  // bytes of this chunk's extensions, or of the trailer section
	count    uint16 // this chunk's extensions, or trailer fields
	digits   uint8  // of the size
	named    bool   // the trailer field being read has a name
	state    chunkState
	err      Error
}

// Reset makes c ready for the next body.
func (c *Chunked) Reset() { *c = Chunked{} }

// Done reports whether the body ended.
func (c *Chunked) Done() bool { return c.state == chunkDone }

// Data returns how many bytes of data, without framing, were consumed.
func (c *Chunked) Data() int64 { return c.taken }

// Feed validates the framing and returns how many bytes of b belong to the body with its framing: pass exactly
// those on. n is less than len(b) only when the body ends within b, when err is set, in which case the bytes
// before n are still valid, or when a trailer field begins at n. Trailer fields have to be checked before they
// are passed on: from there on use Next, and end the body with the fields that are kept and an empty line.
//
// hot: runs per read of a chunked body; no alloc, no lock.
func (c *Chunked) Feed(b []byte) (n int, done bool, err Error) {
	for n < len(b) && c.state != chunkDone {
		if c.state == chunkData {
			n += c.takeData(len(b) - n)
			continue
		}
		if c.state == trailerLine && b[n] != '\r' && b[n] != '\n' {
			return n, false, ErrNone
		}
		k, err := c.framing(b[n:])
		n += k
		if err != ErrNone {
			return n, false, err
		}
	}
	return n, c.state == chunkDone, c.err
}

// Part is the kind of bytes that Next found.
type Part uint8

const (
	// PartNone means that all bytes consumed were framing.
	PartNone Part = iota
	// PartData means that part is body data.
	PartData
	// PartTrailer means that part is a piece of the trailer section: field lines with their CR LF.
	// Gather the pieces, at most MaxTrailer bytes, and give them to ParseTrailer.
	PartTrailer
	// PartDone means that the body ended; bytes of b from n on are not part of it.
	PartDone
)

// Next removes the framing: it consumes n bytes of b and returns their content. part aliases b.
// Call it again with b[n:] until it returns PartDone, or until b is empty and more must be read.
func (c *Chunked) Next(b []byte) (kind Part, part []byte, n int, err Error) {
	for n < len(b) && c.state != chunkDone {
		if c.state == chunkData {
			k := c.takeData(len(b) - n)
			return PartData, b[n : n+k : n+k], n + k, ErrNone
		}
		trailer := c.state >= trailerLine && c.state < trailerEndLF
		k, err := c.framing(b[n:])
		start := n
		n += k
		if err != ErrNone {
			return PartNone, nil, n, err
		}
		if trailer && k > 0 {
			// The empty line that ends the section is framing: framing stops before it and in it.
			if c.state == trailerEndLF || c.state == chunkDone {
				continue
			}
			return PartTrailer, b[start:n:n], n, ErrNone
		}
	}
	if c.state == chunkDone {
		return PartDone, nil, n, ErrNone
	}
	return PartNone, nil, n, c.err
}

// takeData consumes up to n data bytes.
func (c *Chunked) takeData(n int) int {
	if int64(n) >= c.remain {
		n = int(c.remain)
		c.state = chunkDataCR
	}
	c.remain -= int64(n)
	c.taken += int64(n)
	return n
}

// framing consumes framing bytes until data begins, the trailer section begins, a trailer line
// begins, the message ends, an error shows, or b is used up.
func (c *Chunked) framing(b []byte) (n int, err Error) {
	if c.err != ErrNone {
		return 0, c.err
	}
	for n < len(b) {
		was := c.state
		if err := c.step(b[n]); err != ErrNone {
			c.err = err
			return n, err
		}
		n++
		switch c.state {
		case chunkData, chunkDone:
			return n, ErrNone
		case trailerLine:
			if was != trailerLine {
				return n, ErrNone
			}
		}
	}
	return n, ErrNone
}

// step consumes one framing byte.
func (c *Chunked) step(b byte) Error {
	switch c.state {
	case chunkSize:
		if message.Class[b]&message.ClassHex == 0 {
			return ErrChunkSize
		}
		c.digits, c.remain, c.line, c.count = 1, int64(unhex(b)), 0, 0
		c.state = chunkDigits
	case chunkDigits:
		switch {
		case message.Class[b]&message.ClassHex != 0:
			if c.digits++; c.digits > 16 || c.remain > (1<<63-1)>>4 {
				return ErrChunkSize
			}
			c.remain = c.remain<<4 | int64(unhex(b))
		case b == '\r':
			c.state = chunkSizeLF
		case b == ';':
			c.state = chunkExtension
			return c.extension(b)
		case b == '\n':
			return ErrBareLF
		default:
			return ErrChunkSize
		}
	case chunkExtension:
		switch b {
		case '\r':
			c.state = chunkSizeLF
			return ErrNone
		case '"':
			c.state = chunkQuoted
		}
		return c.extension(b)
	case chunkQuoted:
		switch b {
		case '"':
			c.state = chunkExtension
		case '\\':
			c.state = chunkEscape
		}
		return c.extension(b)
	case chunkEscape:
		c.state = chunkQuoted
		return c.extension(b)
	case chunkSizeLF:
		if b != '\n' {
			return ErrBareCR
		}
		c.overhead = int32(max(0, int64(c.overhead)-c.remain))
		c.state = chunkData
		if c.remain == 0 {
			c.state = trailerLine
			c.line, c.count = 0, 0
		}
	case chunkDataCR:
		if b != '\r' {
			return ErrChunkEnd
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if b != '\n' {
			return ErrChunkEnd
		}
		c.state = chunkSize
	default:
		return c.trailerStep(b)
	}
	return ErrNone
}

// extension accounts for one byte of a chunk extension. A quoted string may hold no CR either, so
// that the line ends at the same place for a parser without quoting.
func (c *Chunked) extension(b byte) Error {
	if b < 0x20 && b != '\t' || b == 0x7f {
		if b == '\n' {
			return ErrBareLF
		}
		return ErrChunkExtension
	}
	if b == ';' && c.state == chunkExtension {
		c.count++
	}
	c.line++
	c.overhead++
	if c.line > MaxChunkExtension || c.count > MaxChunkExtensions || c.overhead > MaxChunkOverhead {
		return ErrChunkExtension
	}
	return ErrNone
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xf + 9
}
