package plain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShort bounds a value in a Rejection: a snippet annotation may hold kilobytes.
const maxShort = 100

// Short makes a value fit for one line of a log, an Event and a terminal.
func Short(value string) string {
	value = Text(value, ' ')
	if len(value) <= maxShort {
		return value
	}
	cut := maxShort
	for !utf8.RuneStart(value[cut]) {
		cut--
	}
	return value[:cut] + "..."
}

// Text replaces characters that could end a line, move a terminal's cursor or turn the direction of text.
func Text(text string, instead rune) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return instead
		}
		return r
	}, text)
}

// List joins the first names of a list that is not empty, and counts the others.
func List(names []string, most int) string {
	list := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
