package oracle_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/oracle"
)

// TestDecode has examples of RFC 3986, and of what nginx adds.
func TestDecode(t *testing.T) {
	const refused = "refused"
	for _, tt := range []struct{ spelled, want string }{
		{"", "/"}, {"/", "/"}, {"/a/", "/a/"}, {"/%7Ev", "/~v"}, {"/%7ev", "/~v"}, {"/caf%C3%A9", "/café"}, {"/a%20b", "/a b"},
		{"/a//b", "/a/b"}, {"/a%2Fb", "/a/b"}, {"/%2561", "/%61"}, {"/a/./b", "/a/b"}, {"/a/../b", "/b"}, {"/a/..", "/"},
		{"/a/b/..", "/a/"}, {"/a/.", "/a/"}, {"/a/%2e%2e/b", "/b"},
		{"a", refused}, {"/..", refused}, {"/a b", refused}, {"/a?b", refused}, {"/a#b", refused}, {"/%", refused}, {"/%zz", refused}, {"/%00", refused},
	} {
		got, ok := oracle.Decode(tt.spelled)
		if !ok {
			got = refused
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.spelled, got, tt.want)
		}
	}
}

func TestMatchSpelled(t *testing.T) {
	routes := []routing.Route{
		{Host: "h", Path: "/x?y=1", Type: routing.Prefix},
		{Host: "h", Path: "/a%20b", Type: routing.Exact},
		{Host: "h", Path: "/caf%C3%A9/", Type: routing.Prefix},
	}
	for _, tt := range []struct {
		request string
		want    int
		refused bool
	}{
		{"/a%20b", 1, false}, {"/%61%20b", 1, false}, {"/a+b", -1, false}, {"/caf%c3%a9/x", 2, false}, {"/x", -1, false}, {"/a b", -1, true},
	} {
		if got, refused := oracle.MatchSpelled(routes, "h", tt.request); got != tt.want || refused != tt.refused {
			t.Errorf("%s: got %d, refused %v", tt.request, got, refused)
		}
	}
}
