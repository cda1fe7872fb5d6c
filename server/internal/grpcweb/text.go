package grpcweb

import "encoding/base64"

// Text is a sequence of base64 parts (RFC 4648 section 4), each padded by itself, with nothing between
// them. Only '=' shows where one ends, and not all do: a part whose length is a multiple of three has none.

// digits are the values of base64's alphabet; others are over 63.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

// Decoder reads text. The zero value is at its start. It may be copied.
type Decoder struct {
	bits   uint32 // of the n characters of the incomplete group
	n      uint8
	padded bool // n is 2, and one '=' of two came
}

// Ahead is how far dst must begin before src for Decode to work within one buffer: a group completed by
// src is written before src is read, less than one group.
const Ahead = 2

// Decode appends the bytes of src to dst. It returns false where src is not base64; the bytes before the
// fault were appended, and d must not be used again.
//
// hot: runs per read of a body; no alloc, no lock.
func (d *Decoder) Decode(dst, src []byte) ([]byte, bool) {
	for len(src) > 0 {
		for d.n == 0 && len(src) >= 4 {
			a, b, c, e := digits[src[0]], digits[src[1]], digits[src[2]], digits[src[3]]
			if a|b|c|e > 63 {
				break // padding or a fault: by the slow way
			}
			dst = append(dst, a<<2|b>>4, b<<4|c>>2, c<<6|e)
			src = src[4:]
		}
		if len(src) == 0 {
			break
		}
		char := src[0]
		src = src[1:]
		if char == '=' {
			var ok bool
			if dst, ok = d.pad(dst); !ok {
				return dst, false
			}
			continue
		}
		v := digits[char]
		if v > 63 || d.padded {
			return dst, false
		}
		d.bits = d.bits<<6 | uint32(v)
		if d.n++; d.n == 4 {
			dst = append(dst, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
			*d = Decoder{}
		}
	}
	return dst, true
}

// pad takes an '='.
func (d *Decoder) pad(dst []byte) ([]byte, bool) {
	bits := d.bits
	switch {
	case d.n == 2 && !d.padded:
		d.padded = true
		return dst, bits&0xf == 0
	case d.n == 2:
		*d = Decoder{}
		return append(dst, byte(bits>>4)), true
	case d.n == 3:
		*d = Decoder{}
		return append(dst, byte(bits>>10), byte(bits>>2)), bits&3 == 0
	}
	return dst, false
}

// Complete reports whether the text may end here.
func (d *Decoder) Complete() bool { return d.n == 0 }

// AppendText appends p as one part, which a client can decode whole as soon as it has it.
func AppendText(dst, p []byte) []byte { return base64.StdEncoding.AppendEncode(dst, p) }
