package policy

import (
	"strings"
	"testing"
)

func TestValidField(t *testing.T) {
	for _, row := range []struct {
		name, value string
		want        string // in the error, "" for none
	}{
		{"X-Frame-Options", "DENY", ""},
		{"x_team", "a\tb", ""},
		{"Strict-Transport-Security", "max-age=60; includeSubDomains", ""},
		{"X-Empty", "", ""},
		{"X-Name", "Köln", ""},
		{"Set-Cookie", "a=b", ""},
		{"Content-Length", "5", "frames"},
		{"transfer-encoding", "chunked", "frames"},
		{"Host", "a.test", "frames"},
		{"CONNECTION", "close", "one connection"},
		{"Upgrade", "h2c", "one connection"},
		{"X-Real-IP", "10.0.0.1", "who the client is"},
		{"X_Real.IP", "10.0.0.1", "who the client is"}, // the same to a Backend that makes variables of names
		{"Content_Length", "5", "frames"},
		{"X-Forwarded-Anything", "x", "who the client is"},
		{"ssl-client-verify", "SUCCESS", "who the client is"},
		{"", "x", "no name"},
		{"X Y", "x", "no name"},
		{"X:", "x", "no name"},
		{"X\r\nY", "x", `"X\r\nY" is no name`},
		{"Ü", "x", "no name"},
		{"X-A", "a\r\nX-B: c", "control"},
		{"X-A", "a\x00", "control"},
		{"X-A", "a\x7f", "control"},
		{"X-A", " a", "white space"},
		{"X-A", "a\t", "white space"},
	} {
		err := ValidField(row.name, row.value)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%q: %q: %v, want %q", row.name, row.value, err, row.want)
		}
	}
}
