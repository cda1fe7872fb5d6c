package hpack

// Integers (RFC 7541 section 5.1): a small one stands in the low bits of the first byte, the rest
// of a larger one follows in groups of seven bits, the lowest first.

// maxContinuation bounds the bytes behind the first. Nine hold 63 bits, so that the sum cannot
// overflow; each legitimate value fits into five, and the surplus tolerates padding with zero groups.
const maxContinuation = 9

// readInteger reads the integer whose first byte, b[pos], has a prefix of all ones in the bits of
// mask; pos is the index of that byte. It returns the index behind the integer.
func readInteger(b []byte, pos int, mask byte) (n uint64, next int, err Error) {
	n = uint64(mask)
	pos++
	for shift := uint(0); shift < 7*maxContinuation; shift += 7 {
		if uint(pos) >= uint(len(b)) {
			return 0, pos, ErrTruncated
		}
		c := b[pos]
		pos++
		n += uint64(c&0x7f) << (shift & 63)
		if c < 0x80 {
			return n, pos, ErrNone
		}
	}
	return 0, pos, ErrInteger
}

// appendInteger appends n behind the bits of first that are not in mask.
func appendInteger(dst []byte, first, mask byte, n uint64) []byte {
	if n < uint64(mask) {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|mask)
	n -= uint64(mask)
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}
