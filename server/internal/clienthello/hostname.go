package clienthello

const (
	maxHostName = 253 // RFC 1035 section 2.3.4, less the length bytes and the root
	maxLabel    = 63
)

// appendHostName writes name to dst in lower case without a trailing dot, and reports whether it is a host
// name: labels of 1 to 63 letters, digits, hyphens and underscores with one dot between, 253 bytes in all, no
// hyphen at either end of a label. RFC 1123 has no underscores, but names in use do.
func appendHostName(dst *[maxHostName]byte, name []byte) (uint8, bool) {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) == 0 || len(name) > maxHostName {
		return 0, false
	}
	label := 0 // bytes of the present one
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
			label++
		case c >= 'A' && c <= 'Z':
			c |= 0x20
			label++
		case c == '-':
			if label == 0 || i+1 == len(name) || name[i+1] == '.' {
				return 0, false
			}
			label++
		case c == '.':
			if label == 0 || i+1 == len(name) {
				return 0, false
			}
			label = 0
		default:
			return 0, false
		}
		if label > maxLabel {
			return 0, false
		}
		dst[i] = c
	}
	return uint8(len(name)), true
}
