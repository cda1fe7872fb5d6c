package message

import (
	"encoding/binary"
	"unsafe"
)

// Scanning eight bytes at a time.
//
// The scanners look for the first byte of a small set with the classic word tricks:
// (x - n*ones) &^ x & highs has the top bit set in each byte below n, and the same with n = 1 after
// an XOR finds one value. A borrow can mark bytes above a true hit falsely, never below it, so the
// lowest marked byte is always exact, and the scanners use no other. Words are little-endian: the
// lowest byte is the first in the buffer. This beat bytes.IndexByte for line ends, because values
// must be checked for control bytes anyway and most are shorter than the cost of two calls.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	folds = 0x2020202020202020 // ORed in, makes ASCII letters lower case
)

// Load returns the eight bytes of b from i >= 0. Past the end of b it gives zeros, which every scanner
// reports as a hit; the caller then sees that the hit lies at or behind len(b). It is a little too
// long for the inliner: the hot loops write it out.
func Load(b []byte, i int) uint64 {
	if i <= len(b)-8 {
		return UnsafeLoad(b, i)
	}
	return LoadTail(b, i)
}

// UnsafeLoad returns the eight bytes of b from i. The caller has checked that 0 <= i <= len(b)-8.
// The compiler does not see that one check is enough: slicing took nine instructions more, on a path
// that runs four times a field.
func UnsafeLoad(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

// LoadTail is Load where fewer than eight bytes are left.
//
//go:noinline
func LoadTail(b []byte, i int) uint64 {
	if n := len(b); n >= 8 && i < n {
		return binary.LittleEndian.Uint64(b[n-8:]) >> (8 * uint(i+8-n))
	}
	var w uint64
	for j := len(b) - 1; j >= i; j-- {
		w = w<<8 | uint64(b[j])
	}
	return w
}

// ValueStops marks control bytes (HTAB among them) and DEL: every byte that can end or spoil a value.
func ValueStops(x uint64) uint64 {
	del := x ^ 0x7f*ones
	return ((x - 0x20*ones) | (del - ones)) &^ x & highs
}

// NameStops marks the colon, control bytes and the space.
func NameStops(x uint64) uint64 {
	colon := x ^ ':'*ones
	return ((x - 0x21*ones) | (colon - ones)) &^ x & highs
}

// TargetStops marks control bytes, the space, DEL, '#' and '?'. One comparison serves DEL and '?',
// which differ in one bit.
func TargetStops(x uint64) uint64 {
	hash := x ^ '#'*ones
	question := (x & (0xbf * ones)) ^ '?'*ones
	return ((x - 0x21*ones) | (hash - ones) | (question - ones)) &^ x & highs
}

// Byte classes: the bits of Class.
const (
	ClassToken = 1 << iota // tchar of RFC 9110 section 5.6.2
	ClassHost              // reg-name of RFC 3986 section 3.2.2, '%' aside
	ClassHex
	ClassDigit
	ClassPlain // a letter, a digit or a hyphen: nearly all bytes of field names
)

// Class holds the classes of every byte: Class[c]&ClassToken is not 0 where c is a tchar. Read only.
var Class = buildClasses()

func buildClasses() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= '0' && c <= '9':
			t[c] = ClassToken | ClassHost | ClassHex | ClassDigit | ClassPlain
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			t[c] = ClassToken | ClassHost | ClassHex | ClassPlain
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] = ClassToken | ClassHost | ClassPlain
		}
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] |= ClassToken
	}
	for _, c := range "-._~!$&'()*+,;=" {
		t[c] |= ClassHost
	}
	t['-'] |= ClassPlain
	return t
}

// IsToken reports whether b is a token of RFC 9110 section 5.6.2.
func IsToken(b []byte) bool {
	for _, c := range b {
		if Class[c]&ClassToken == 0 {
			return false
		}
	}
	return len(b) > 0
}

// IsPlain reports whether b is made of letters, digits and hyphens, which makes it a token.
func IsPlain(b []byte) bool {
	for _, c := range b {
		if Class[c]&ClassPlain == 0 {
			return false
		}
	}
	return len(b) > 0
}

// Lower maps ASCII upper case to lower case and every other byte to itself.
func Lower(c byte) byte {
	if c-'A' < 26 {
		return c | 0x20
	}
	return c
}

// EqualFold compares without regard to ASCII case. It differs from bytes.EqualFold in that no
// other letters fold (U+212A, the Kelvin sign, is not a k).
func EqualFold[A, B ~string | ~[]byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if Lower(a[i]) != Lower(b[i]) {
			return false
		}
	}
	return true
}
