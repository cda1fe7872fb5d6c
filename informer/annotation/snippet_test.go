package annotation

import (
	"strings"
	"testing"
)

func init() {
	examples = append(examples, []example{
		{"configuration-snippet", "more_set_headers \"X-A: b\";", closing},
		{"configuration-snippet", " \n", false},
		{"server-snippet", "", false},
		{"stream-snippet", "", false},
		{"server-snippet", "return 200;", closing},
		{"stream-snippet", "server {}", closing},
	}...)
}

func TestAlternatives(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"set $x 1;":           "",
		"# add_header X-A b;": "",
		"add_header X-A b always;\nmore_clear_headers Server; # return\n":     "response-headers-add, response-headers-remove",
		"if ($http_x = \"\") { return 403; }\nadd_header X b;add_header Y c;": "permanent-redirect or temporal-redirect, response-headers-add",
		strings.Repeat(" ", maxSnippet) + "return 200;":                       "",
		"\xff\x00;{}{}\t\treturn 1":                                           "permanent-redirect or temporal-redirect",
	} {
		if got := strings.Join(alternatives(text), ", "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
