package hpack

import "encoding/binary"

// ends returns the first and the last eight bytes of s as little-endian words; they overlap below 16
// bytes. Shorter strings give words that still depend on each byte. s may be empty.
func ends(s []byte) (first, last uint64) {
	n := len(s)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(s)), uint64(binary.LittleEndian.Uint32(s[n-4:]))
	case n > 0:
		return uint64(s[0]) | uint64(s[n>>1])<<8, uint64(s[n-1])
	}
	return 0, 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// lowerWord makes the ASCII capitals among the eight bytes of w lower case.
func lowerWord(w uint64) uint64 {
	low := w &^ highs // additions below carry into the top bit and no further
	fromA := low + (0x80-'A')*ones
	aboveZ := low + (0x7f-'Z')*ones
	upper := (fromA ^ aboveZ) &^ w & highs
	return w | upper>>2
}

// appendLower appends s with ASCII capitals made lower case.
func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		if c-'A' < 26 {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// lowerInto is appendLower for a name that fits into buf. The last word overlaps the one before, which
// is half the time of going byte by byte.
func lowerInto(buf *[maxFolded]byte, s []byte) []byte {
	n := len(s)
	if n < 8 || n > maxFolded {
		return appendLower(buf[:0], s)
	}
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(buf[i:], lowerWord(binary.LittleEndian.Uint64(s[i:])))
	}
	binary.LittleEndian.PutUint64(buf[n-8:], lowerWord(binary.LittleEndian.Uint64(s[n-8:])))
	return buf[:n]
}
