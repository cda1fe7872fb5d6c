package routing

// maxHost is the longest host accepted: the longest DNS name, in text without its trailing dot.
const maxHost = 253

// Classes of the bytes of an authority.
const (
	hostBad   = iota // never part of one
	hostPlain        // as it is
	hostUpper        // A-Z, to be lowered
	hostDot
	hostColon
)

var hostClass = func() (class [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		class[c], class[c-'a'+'A'] = hostPlain, hostUpper
	}
	for c := '0'; c <= '9'; c++ {
		class[c] = hostPlain
	}
	class['-'], class['_'], class['~'] = hostPlain, hostPlain, hostPlain
	class['.'], class[':'] = hostDot, hostColon
	return class
}()

// NormalizeHost returns the host of an authority (a Host field or an absolute-form target) as Match
// takes it: lower case, without port, without one trailing dot. ":80", "" and "." have no host and
// are refused; so are user information, percent-encoding, zone identifiers, empty labels, a port
// that is not a number up to 65535 ("host:" is allowed, as RFC 3986 has it), more than 253 bytes,
// and every byte outside letters, digits, '-', '_', '~' and '.'. RFC 3986 would allow
// "!$&'()*+,;=" too; no DNS name has them, while "a.example,b.example" means different hosts to
// different parsers. An IPv6 address keeps its brackets; it is checked byte by byte only, since it
// is compared as text.
//
// host is raw's own memory where that is normal already, else it is dst[:0] with the result
// appended; no allocation when dst has the capacity of raw. dst must not overlap raw.
//
// hot: runs per request; no alloc, no lock.
func NormalizeHost(dst, raw []byte) (host []byte, ok bool) {
	if len(raw) != 0 && raw[0] == '[' {
		return normalizeIPv6(dst, raw)
	}
	end, upper := len(raw), false
	afterDot := true // an empty label would end here
scan:
	for i, c := range raw {
		switch hostClass[c] {
		case hostPlain:
			afterDot = false
		case hostUpper:
			upper, afterDot = true, false
		case hostDot:
			if afterDot {
				return nil, false
			}
			afterDot = true
		case hostColon:
			if !validPort(raw[i+1:]) {
				return nil, false
			}
			end = i
			break scan
		default:
			return nil, false
		}
	}
	if end == 0 {
		return nil, false
	}
	if afterDot {
		end--
	}
	if end > maxHost {
		return nil, false
	}
	if !upper {
		return raw[:end], true
	}
	return appendLower(dst[:0], raw[:end]), true
}

// normalizeIPv6 is NormalizeHost for raw starting with '['.
func normalizeIPv6(dst, raw []byte) (host []byte, ok bool) {
	colons, upper := 0, false
	for i, c := range raw[1:] {
		switch {
		case c == ':':
			colons++
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', c == '.':
		case 'A' <= c && c <= 'F':
			upper = true
		case c == ']':
			end := i + 2
			rest := raw[end:]
			if len(rest) != 0 && (rest[0] != ':' || !validPort(rest[1:])) {
				return nil, false
			}
			if colons < 2 || end > maxIPv6 {
				return nil, false
			}
			if !upper {
				return raw[:end], true
			}
			return appendLower(dst[:0], raw[:end]), true
		default:
			return nil, false
		}
	}
	return nil, false
}

// maxIPv6 is the longest IPv6 address in text, with brackets.
const maxIPv6 = len("[0000:0000:0000:0000:0000:ffff:255.255.255.255]")

// validPort reports whether b is empty or a decimal number up to 65535.
func validPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return false
		}
	}
	return true
}

func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
