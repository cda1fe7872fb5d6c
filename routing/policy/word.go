package policy

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Word returns s where it is one visible word, and quotes it otherwise: names and values come from manifests and
// requests, and must not forge a line of text for people.
func Word(s string) string {
	if s != "" && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r == '"' || r == ' ' || !strconv.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}
