package message

import "bytes"

// Field lines as Filters give them: "Name: value" CR LF. They are checked where they come in, because a line that is
// none would split a head in two, and lines of framing are left out, because the Exchange writes these itself.

// ownLines are the names of which the Exchange alone writes the lines.
const ownLines = HopFields | 1<<FieldContentLength

// AppendLine appends a field line. ok is false where name or value cannot stand in a head, and nothing is appended then.
func AppendLine[T string | []byte](dst []byte, name, value T) (lines []byte, ok bool) {
	from := len(dst)
	dst = append(append(append(dst, name...), ": "...), value...)
	if !validLine(dst[from:], len(name)) {
		return dst[:from], false
	}
	if ownLines.Has(LookupField(dst[from : from+len(name)])) {
		return dst[:from], true
	}
	return append(dst, '\r', '\n'), true
}

// AppendLines appends field lines, each with CR LF. ok is false where one is none, and nothing is appended then.
func AppendLines(dst, lines []byte) (out []byte, ok bool) {
	from := len(dst)
	for rest := lines; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 1 || rest[i-1] != '\r' {
			return dst[:from], false
		}
		line := rest[:i-1]
		rest = rest[i+1:]
		n := bytes.IndexByte(line, ':')
		if n < 0 || !validLine(line, n) {
			return dst[:from], false
		}
		if !ownLines.Has(LookupField(line[:n])) {
			dst = append(append(dst, line...), '\r', '\n')
		}
	}
	return dst, true
}

// validLine reports whether a line, without its CR LF, is a field whose name has n bytes (RFC 9110 section 5.5).
func validLine(line []byte, n int) bool {
	if n == 0 || !IsToken(line[:n]) {
		return false
	}
	for _, c := range line[n+1:] {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// CutLine returns the first of some field lines, without its CR LF, and the others.
func CutLine(lines []byte) (line, rest []byte) {
	i := bytes.IndexByte(lines, '\n')
	if i < 1 {
		return lines, nil
	}
	return lines[:i-1], lines[i+1:]
}

// FindLine returns the value of the first field line of that name in any case, nil where there is none.
func FindLine(lines []byte, name string) []byte {
	for rest := lines; len(rest) > 0; {
		var line []byte
		line, rest = CutLine(rest)
		if value, ok := valueOf(line, name); ok {
			return value
		}
	}
	return nil
}

// valueOf returns the value of a field line, and whether its name is name in any case.
func valueOf(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !EqualFold(line[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// DropLines removes the lines of a name, in place.
func DropLines(lines []byte, name string) []byte {
	kept := lines[:0]
	for rest := lines; len(rest) > 0; {
		before := rest
		var line []byte
		line, rest = CutLine(rest)
		if _, ok := valueOf(line, name); !ok {
			kept = append(kept, before[:len(before)-len(rest)]...)
		}
	}
	return kept
}
