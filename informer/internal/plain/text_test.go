package plain

import (
	"strings"
	"testing"
)

func TestShort(t *testing.T) {
	rows := []struct{ value, want string }{
		{"plain", "plain"},
		{"two\nlines\x1b[31m", "two lines [31m"}, // cannot forge a line, nor colour a terminal
		{"\xff", " "},
		{"a\u202eb", "a b"}, // nor turn the direction of what follows
		{strings.Repeat("a", 100), strings.Repeat("a", 100)},
		{strings.Repeat("a", 101), strings.Repeat("a", 100) + "..."},
		{strings.Repeat("a", 99) + "ää", strings.Repeat("a", 99) + "..."}, // whole characters
	}
	for _, row := range rows {
		if got := Short(row.value); got != row.want {
			t.Errorf("Short(%q) = %q, want %q", row.value, got, row.want)
		}
	}
}

func TestList(t *testing.T) {
	rows := []struct {
		names string
		want  string
	}{
		{"a", "a"},
		{"a b", "a, b"},
		{"a b c", "a, b and 1 more"},
		{"a b c d", "a, b and 2 more"},
	}
	for _, row := range rows {
		if got := List(strings.Fields(row.names), 2); got != row.want {
			t.Errorf("List(%s) = %q, want %q", row.names, got, row.want)
		}
	}
}
