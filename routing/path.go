package routing

// Classes of the bytes of a raw path.
const (
	pathPlain = iota
	pathSlash
	pathDot
	pathPercent
	pathBad // control bytes, space, '?' and '#', which end a path
)

var pathClass = func() (class [256]uint8) {
	for c := 0; c <= ' '; c++ {
		class[c] = pathBad
	}
	class[0x7f], class['?'], class['#'] = pathBad, pathBad, pathBad
	class['/'], class['.'], class['%'] = pathSlash, pathDot, pathPercent
	return class
}()

// NormalizePath returns the path that Match takes for an origin-form path without its query:
// percent-decoded once, "//" merged, "." and ".." resolved, as nginx does before it chooses a
// location. A trailing slash stays. "" is "/". Refused (ok is false, and the answer is 400): a path
// that does not start with '/', an invalid escape, %00, a raw control byte, space, '?' or '#', and
// a ".." above the root, which some servers would clamp and others would follow.
//
// %2F becomes '/' and separates segments from then on, and %2E%2E is a "..", as in nginx: Backends
// that decode would otherwise be reached at "/private" through a Route for "/public" by
// "/public%2F..%2Fprivate". Slashes are merged before ".." is resolved: "/a//.." is "/". Decoding
// happens once, so %252F is a literal "%2F". Bytes from 0x80 on are kept as they are, and '\\' and
// ';' mean nothing.
//
// The result is for matching only. What is forwarded is the raw target: decoding is not reversible
// ("/a%2Fb" and "/a/b" may be two resources to the Backend, "%3F" is no query), signatures cover the
// bytes that the client sent, and a Backend must see the request that was made.
//
// path is rawPath itself where there is nothing to do, else it is dst[:0] with the result appended,
// never longer than rawPath, or 1 byte for "": no allocation when dst has that capacity. dst must
// not overlap rawPath.
//
// hot: runs per request; no alloc, no lock.
func NormalizePath(dst, rawPath []byte) (path []byte, ok bool) {
	if len(rawPath) == 0 {
		return append(dst[:0], '/'), true
	}
	if rawPath[0] != '/' {
		return nil, false
	}
	afterSlash := false
	for i, c := range rawPath {
		switch pathClass[c] {
		case pathPlain:
			afterSlash = false
		case pathSlash:
			if afterSlash {
				return rewritePath(dst[:0], rawPath)
			}
			afterSlash = true
		case pathDot:
			if afterSlash && startsDotSegment(rawPath[i:]) {
				return rewritePath(dst[:0], rawPath)
			}
			afterSlash = false
		case pathPercent:
			return rewritePath(dst[:0], rawPath)
		default:
			return nil, false
		}
	}
	return rawPath, true
}

// startsDotSegment reports whether the segment that b starts with, in '.', is "." or "..".
func startsDotSegment(b []byte) bool {
	n := 1
	if len(b) > 1 && b[1] == '.' {
		n = 2
	}
	return len(b) == n || b[n] == '/'
}

// rewritePath is NormalizePath for a path that needs a change.
func rewritePath(dst, raw []byte) (path []byte, ok bool) {
	segment := 0 // where the current segment starts in dst, right after a slash
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch pathClass[c] {
		case pathPercent:
			if len(raw)-i < 3 {
				return nil, false
			}
			high, low := unhex(raw[i+1]), unhex(raw[i+2])
			if high|low > 0xf {
				return nil, false
			}
			if c = high<<4 | low; c == 0 {
				return nil, false
			}
			i += 2
		case pathBad:
			return nil, false
		}
		if c != '/' {
			dst = append(dst, c)
			continue
		}
		if len(dst) == 0 {
			dst = append(dst, '/')
			segment = 1
			continue
		}
		if dst, segment, ok = endSegment(dst, segment); !ok {
			return nil, false
		}
		if segment < len(dst) {
			dst = append(dst, '/')
			segment = len(dst)
		}
	}
	dst, _, ok = endSegment(dst, segment)
	return dst, ok
}

// endSegment resolves the segment that starts at segment and ends with dst, and returns where the
// current segment starts now. After "", "." and ".." dst ends with that very slash; ok is false for
// a ".." above the root.
func endSegment(dst []byte, segment int) (_ []byte, _ int, ok bool) {
	switch string(dst[segment:]) {
	case ".":
		return dst[:segment], segment, true
	case "..":
		if segment == 1 {
			return nil, 0, false
		}
		segment--
		for dst[segment-1] != '/' {
			segment--
		}
		return dst[:segment], segment, true
	}
	return dst, segment, true
}

// unhex returns the value of a hexadecimal digit, or 0xff.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
