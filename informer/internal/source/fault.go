package source

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault says what is wrong with an entry of a folder of manifests: that it cannot be read, or that one of its
// objects is not taken. A plain value.
type Fault struct {
	// File is the path of the entry, fit for a line of a report.
	File string
	// Object is the one that the fault is about; "" for the whole entry.
	Object string
	// Reason says what is wrong, what happens instead, and how to mend it.
	Reason string
}

// shownPath is a path that cannot forge a line of a report: without what could end a line, move a terminal's
// cursor or turn the direction of text.
func shownPath(path string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, path)
}
