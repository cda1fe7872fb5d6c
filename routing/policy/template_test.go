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
		{"a$ b", "refused"},
		{"${host", "refused"},
		{"${}", "refused"},
		{"$http_", "refused"},
		{"${http_a b}", "refused"},
		{"$http_-", "refused"},
		{"$1", "refused"},
		{"$$host", "refused"},
		{"$request_uri", "refused"}, // another annotation's
		{strings.Repeat("$host", maxParts), fmt.Sprint("[", strings.Repeat("{ host} ", maxParts-1), "{ host}]")},
		{strings.Repeat("$host", maxParts+1), "refused"},
	} {
		parts, err := ParseTemplate(row.text, HostVariables)
		got := fmt.Sprint(parts)
		if err != nil {
			got = "refused"
		}
		if got != row.want {
			t.Errorf("%q gives %s, %v, want %s", row.text, got, err, row.want)
		}
	}
	if parts, err := ParseTemplate("a${host}b$scheme://$http_x_a$cookie_session$arg_q$request_uri", AuthorityVariables); len(parts) != 9 || err != nil {
		t.Errorf("an authority's: %v %v", parts, err)
	}
	if parts, err := ParseTemplate("$service_name", AuthorityVariables); err == nil {
		t.Errorf("a Host's gives %v", parts)
	}
}

// FuzzParseTemplate: the parts are what the text has, in order.
func FuzzParseTemplate(f *testing.F) {
	for _, text := range []string{"", "a", "$host", "a${host}b", "$http_x.$scheme", "$", "${", "${host$host}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := ParseTemplate(text, HostVariables)
		if err != nil {
			if len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q: the reason is %q", text, err)
			}
			return
		}
		rest := text
		for _, p := range parts {
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
				t.Fatalf("%q gives %v", text, parts)
			}
		}
		if rest != "" || len(parts) > maxParts {
			t.Errorf("%q gives %v, and %q is left", text, parts, rest)
		}
	})
}
