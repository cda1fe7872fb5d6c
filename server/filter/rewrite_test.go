package filter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestRewrite: the whole path is replaced, the query stays, and a Route whose path is the target keeps its requests' paths.
func TestRewrite(t *testing.T) {
	for _, row := range []struct{ target, asked, want string }{
		{"/b", "/a", "/b"},
		{"/b", "/a/c?d=e&f=%2F", "/b?d=e&f=%2F"},
		{"/b", "/a?", "/b?"},
		{"/b/", "/a//..%2f?x?y", "/b/?x?y"},
		{"/", "/a/b?c", "/a/b?c"},
	} {
		g := newGateway(t, with(&policy.Rewrite{Target: row.target}), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) })
		for range 2 {
			if _, body := g.ask("GET", row.asked); body != row.want {
				t.Errorf("%v: the Backend was asked for %q", row, body)
			}
		}
	}
}
