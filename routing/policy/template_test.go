package policy

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseTemplate(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", "[]"},
		{"a.test", "[{a.test }]"},
		{"$host", "[{ host}]"},
		{"web.$http_x_tenant.svc", "[{web. } { http_x_tenant} {.svc }]"},
		{"${service_name}.$namespace:$service_port", "[{ service_name} {. } { namespace} {: } { service_port}]"},
		{"$hostx", "refused"},
		{"$", "refused"},
		{"a$", "refused"},
		{"${host", "refused"},
		{"${}", "refused"},
		{"$http_", "refused"},
		{"${http_a b}", "refused"},
		{"$1", "refused"},
		{"$$host", "refused"},
		{strings.Repeat("$host", maxPieces), fmt.Sprint("[", strings.Repeat("{ host} ", maxPieces-1), "{ host}]")},
		{strings.Repeat("$host", maxPieces+1), "refused"},
	} {
		pieces, err := ParseTemplate(row.text)
		got := fmt.Sprint(pieces)
		if err != nil {
			got = "refused"
		}
		if got != row.want {
			t.Errorf("%q gives %s, %v, want %s", row.text, got, err, row.want)
		}
	}
	for variable, want := range map[string]string{"http_x_tenant": "x-tenant", "http_host": "host", "host": ""} {
		if name, ok := (Piece{Variable: variable}).Field(); ok != (want != "") || name != want {
			t.Errorf("%s is that of %q, %v", variable, name, ok)
		}
	}
}

// FuzzParseTemplate: the pieces are what the text has, in order.
func FuzzParseTemplate(f *testing.F) {
	for _, text := range []string{"", "a", "$host", "a${host}b", "$http_x.$scheme", "$", "${"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pieces, err := ParseTemplate(text)
		if err != nil {
			if len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q: the reason is %q", text, err)
			}
			return
		}
		rest := text
		for _, p := range pieces {
			ok := false
			for _, form := range []string{p.Text, "$" + p.Variable, "${" + p.Variable + "}"} {
				if (form == p.Text) == (p.Variable == "") && !ok {
					var after string
					if after, ok = strings.CutPrefix(rest, form); ok {
						rest = after
					}
				}
			}
			if !ok || (p.Text == "") == (p.Variable == "") {
				t.Fatalf("%q gives %v", text, pieces)
			}
		}
		if rest != "" || len(pieces) > maxPieces {
			t.Errorf("%q gives %v, and %q is left", text, pieces, rest)
		}
	})
}
