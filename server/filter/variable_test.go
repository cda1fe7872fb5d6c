package filter

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// TestVariablesAreKnown: each variable that an annotation may have stands for something.
func TestVariablesAreKnown(t *testing.T) {
	for _, known := range []policy.Variables{policy.HostVariables, policy.AuthorityVariables, policy.RewriteVariables, policy.HashVariables} {
		for _, name := range known {
			if strings.HasSuffix(name, "_") {
				name += "x"
			}
			if text, err := variable.Parse("$"+name, known); err != nil || len(text) != 1 || !text[0].Variable() {
				t.Errorf("$%s: %v %v", name, text, err)
			}
		}
	}
}

// TestVariables: what an authority's variables stand for. TestHost has the others.
func TestVariables(t *testing.T) {
	for text, want := range map[string]string{
		"a":                             "a",
		"$host $http_host":              "a.test A.test:8080",
		"$best_http_host":               "A.test:8080",
		"$request_uri":                  "/x/%2e?q=1&Q=2&r",
		"$escaped_request_uri":          "%2Fx%2F%252e%3Fq%3D1%26Q%3D2%26r",
		"$uri?$args":                    "/x/%2e?q=1&Q=2&r",
		"$arg_q$arg_r$arg_none":         "1",
		"$cookie_a,$cookie_b,$cookie_c": "1,x=2,",
		"$http_x_tenant$http_none":      "acme",
		"$scheme $pass_access_scheme":   "http https",
		"$request_method":               "GET",
		"$remote_addr":                  "192.0.2.1",
	} {
		var told string
		g := authorised(t, policy.External{Redirect: text}, func(_ http.ResponseWriter, r *http.Request) { told = r.Header.Get("X-Auth-Request-Redirect") }, backend)
		for _, two := range []bool{false, true} {
			resp, _ := g.over(two, "GET", "A.test:8080", "/x/%2e?q=1&Q=2&r", "X-Tenant", "acme", "Cookie", "z; a=1; A=3", "Cookie", "b=x=2",
				"X-Forwarded-Proto", "https", "X-Forwarded-For", "192.0.2.1")
			if resp.StatusCode != 200 || told != want {
				t.Errorf("%s, HTTP/2 %v: got %d, told %q, want %q", text, two, resp.StatusCode, told, want)
			}
		}
	}
}
