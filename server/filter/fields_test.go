package filter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestRequestFields: a Backend is sent what is set, and nothing of a client's under the same name, however it is spelt.
func TestRequestFields(t *testing.T) {
	t.Parallel()
	g := newGateway(t, with(&policy.RequestFields{Fields: []policy.FieldTemplate{
		{Name: "X-Drop", Value: ""}, {Name: "X-Id", Value: "$req_id"}, {Name: "X-Lab", Value: "$host of $namespace"},
		{Name: "X-Swap-A", Value: "$http_x_swap_b"}, {Name: "X-Swap-B", Value: "<${http_x_swap_a}>"},
	}}), func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["X-Drop"], r.Header["X-Lab"], r.Header["X-Swap-A"], r.Header["X-Swap-B"], r.Header.Get("X-Id") == r.Header.Get("X-Request-Id"))
	})
	for _, two := range []bool{false, true} {
		want := "[] [a.test of default] [] [<>] true"
		if _, body := g.over(two, "GET", "a.test", "/x", "X-Drop", "client's", "x-lab", "client's"); body != want {
			t.Errorf("HTTP/2 %v: the Backend got %s, want %s", two, body, want)
		}
		want = "[] [a.test of default] [b] [<a>] true"
		if _, body := g.over(two, "GET", "a.test", "/x", "X-Swap-A", "a", "X-Swap-B", "b"); body != want {
			t.Errorf("HTTP/2 %v: the Backend got %s, want %s", two, body, want)
		}
	}
}
