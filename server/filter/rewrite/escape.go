package rewrite

const upperHex = "0123456789ABCDEF"

// appendEscaped appends a decoded path as nginx sends it to a Backend: bytes that would end a path, or are not visible ASCII,
// are escaped, and no others.
//
// hot: runs per request; no alloc, no lock.
func appendEscaped[T []byte | string](b []byte, path T) []byte {
	for i := range len(path) {
		c := path[i]
		if c <= ' ' || c >= 0x7f || c == '#' || c == '%' || c == '?' {
			b = append(b, '%', upperHex[c>>4], upperHex[c&0xf])
		} else {
			b = append(b, c)
		}
	}
	return b
}
