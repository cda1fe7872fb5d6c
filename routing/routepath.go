package routing

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParsePath returns the path of a Route, as an Ingress spells it, in the form that requests have after
// NormalizePath: an Ingress names a URL path, and a client may spell it in several ways, which RFC 3986
// section 6.2.2 calls equivalent. So "/caf%C3%A9" and "/café" are the same Route, and so are "/a%20b" and
// "/a b", although the latter can be written in an Ingress only.
//
// A text that no request can have as its path gives an error with the reason: a query, a fragment, a
// control character, an invalid escape, a ".." above the root.
func ParsePath(spelled string) (path string, err error) {
	if !strings.HasPrefix(spelled, "/") {
		return "", errors.New(`a path starts with "/"`)
	}
	for i := range len(spelled) {
		switch c := spelled[i]; {
		case c == '?':
			return "", errors.New(`a path ends before a query, which no request is matched by; write %3F for a "?" that is part of it`)
		case c == '#':
			return "", errors.New(`a path ends before a fragment, which clients do not send; write %23 for a "#" that is part of it`)
		case c < ' ' || c == 0x7f:
			return "", errors.New("control characters cannot match")
		case c == '%' && (i+2 >= len(spelled) || unhex(spelled[i+1])|unhex(spelled[i+2]) > 0xf):
			return "", errors.New(`an escape is "%" and two hexadecimal digits, and requests with another are answered 400; write %25 for a "%" that is part of the path`)
		case c == '%' && spelled[i+1:i+3] == "00":
			return "", errors.New("requests with %00 are answered 400")
		}
	}
	raw := []byte(strings.ReplaceAll(spelled, " ", "%20"))
	normal, ok := NormalizePath(make([]byte, 0, len(raw)), raw)
	if !ok {
		return "", errors.New(`".." leads above the root, and requests with that are answered 400`)
	}
	if string(normal) == spelled {
		return spelled, nil
	}
	return string(normal), nil
}

// Spelling is r's path as a client may send it: bytes that are not visible, or would end a path, are
// escaped. Two Routes of one Host and PathType never have the same Spelling, and it is valid UTF-8 in
// one word, which Path need not be. The Spelling of a regular expression is its text.
func (r *Route) Spelling() string {
	if r.Type == Regular {
		return r.Path
	}
	if !strings.ContainsFunc(r.Path, escaped) {
		return r.Path
	}
	var b strings.Builder
	for rest := r.Path; rest != ""; {
		c, n := utf8.DecodeRuneInString(rest)
		if escaped(c) {
			for i := range n {
				fmt.Fprintf(&b, "%%%02X", rest[i])
			}
		} else {
			b.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	return b.String()
}

// escaped reports whether Spelling escapes a rune; utf8.RuneError stands for bytes that are none.
func escaped(c rune) bool {
	switch c {
	case ' ', '"', '#', '%', '?', utf8.RuneError:
		return true
	}
	return !unicode.IsPrint(c)
}
