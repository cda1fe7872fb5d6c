package filter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestPrefix: the field goes with a rewritten path alone, in the place of one that a trusted proxy has sent.
func TestPrefix(t *testing.T) {
	for _, row := range []struct{ target, sent, want string }{
		{"/inside", "", "[/app]"},
		{"/inside", "/proxy", "[/app]"},
		{"/", "", "[]"}, // the Route's own path
		{"/", "/proxy", "[/proxy]"},
	} {
		g := newGateway(t, with(&policy.Rewrite{Target: row.target}, &policy.Prefix{Prefix: "/app", Target: row.target}),
			func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Values("X-Forwarded-Prefix")) })
		var fields []string
		if row.sent != "" {
			fields = []string{"X-Forwarded-Prefix", row.sent}
		}
		for _, two := range []bool{false, true} {
			if _, body := g.over(two, "GET", "a.test", "/x", fields...); body != row.want {
				t.Errorf("%v, HTTP/2 %v: the Backend got %s", row, two, body)
			}
		}
	}
}
