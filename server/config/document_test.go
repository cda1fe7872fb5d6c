package config

import (
	"strings"
	"testing"
)

// TestOneDocument: nothing of a configuration is left out in silence.
func TestOneDocument(t *testing.T) {
	for _, row := range []struct{ text, err string }{
		{"", ""},
		{"# nothing\n", ""},
		{"---\nthreads: 1\n", ""},
		{"threads: 1\n...\n", ""},
		{`{"threads": 1}`, ""},
		{"threads: 1\n---\nlimits: {connections: 5}\n", "a second document"},
		{"threads: 1\n---\n", "a second document"},
		{"{\"threads\": 1}\n{\"threads\": 2}\n", "behind the end of the document"},
		{"{\"threads\": 1} }}} garbage", "behind the end of the document"},
		{"{\"threads\": 1}\n ---\nlimits: {connections: 5}\n", "behind the end of the document"},
		{"threads: 1\n...\nlimits: {connections: 5}\n", "behind the end of the document"},
		{"threads: 1\n\x00limits: {connections: 5}\n", "parse YAML"},
	} {
		if _, err := Parse([]byte(row.text)); row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
			t.Errorf("%q: error %v, want %q", row.text, err, row.err)
		}
	}
	for _, set := range []string{`listen.http=[":80"]]`, "listen.http=[\":80\"]\n---\n[\":81\"]"} {
		if err := Default().Set(set); err == nil {
			t.Errorf("--set %q: no error", set)
		}
	}
}
