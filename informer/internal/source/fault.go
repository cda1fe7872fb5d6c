package source

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault is why an entry of a folder of manifests, or one of its objects, is not delivered as it stands. A plain value.
type Fault struct {
	// File is the path of the entry, fit for a line of a report.
	File string
	// Object names the object that is not delivered; "" for the whole entry.
	Object string
	// Reason is the fault, its consequence, and how to mend it.
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
