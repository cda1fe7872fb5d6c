package rewrite

import "strings"

const upperHex = "0123456789ABCDEF"

// appendEscaped appends a decoded path as nginx sends it to a Backend: bytes that RFC 3986 has in no path are escaped, "?", "#"
// and "%", and no others.
//
// hot: runs per request; no alloc, no lock.
func appendEscaped[T []byte | string](b []byte, path T) []byte {
	for i := range len(path) {
		if c := path[i]; plain[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&0xf])
		}
	}
	return b
}

// plain has the bytes that are not escaped.
var plain = func() (plain [256]bool) {
	for c := '!'; c <= '~'; c++ {
		plain[c] = !strings.ContainsRune("\"#%<>?\\^`{|}", c)
	}
	return plain
}()
