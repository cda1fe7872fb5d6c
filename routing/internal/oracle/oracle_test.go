package oracle_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/oracle"
)

// TestMatch has the oracle agree with examples worked out by hand; the differential tests hold the
// Table to the oracle.
func TestMatch(t *testing.T) {
	old, young := &routing.Source{Created: 1, Ingress: name("z")}, &routing.Source{Created: 2, Ingress: name("a")}
	twin := &routing.Source{Created: 1, Ingress: name("b")}
	for _, tt := range []struct {
		routes  string // "host path type", comma-separated; the answer is a position
		request string // "host path"
		want    int
	}{
		{"x / P", "x /", 0},
		{"x / P", "x /any/thing", 0},
		{"x / P", "y /", -1},
		{"X / P", "x /", 0}, // configured hosts have no case
		{"x /a E", "x /a", 0},
		{"x /a E", "x /a/", -1},
		{"x /a/ E", "x /a", -1},
		{"x /A E", "x /a", -1}, // paths have
		{"x /a P", "x /a/", 0},
		{"x /a/ P", "x /a", 0},
		{"x /a/ P", "x /ab", -1},
		{"x /a P, x /a/b P", "x /a/b/c", 1},
		{"x /a P, x /a/b P", "x /a/bc", 0},
		{"x /a P, x /a E", "x /a", 1},
		{"x /a P, x /a E", "x /a/", 0},
		{"x /a/ E, x /a P", "x /a/", 0},
		{"*.x / P", "a.x /", 0},
		{"*.x / P", "a.b.x /", -1},
		{"*.x / P", "x /", -1},
		{"*.x / P", ".x /", -1},
		{"*.x / P, a.x / P", "a.x /", 1},
		{"*.x / P, a.x /only P", "a.x /", -1}, // the exact host is the one asked
		{"_ / P, *.x /only P", "a.x /", -1},
		{"_ / P", "anything /", 0},
		{"x /a P old, x /a P young", "x /a", 0},
		{"x /a P young, x /a/ P old", "x /a", 1},
		{"x /a P old, x /a P twin", "x /a", 1}, // b before z
		{"x /a P, x /a P young", "x /a", 1},    // an object before none
		{"x /a P old, x /a P old", "x /a", 0},  // the first in the list
		{"x /a P old, x /a/ P old", "x /a", 1}, // within an object the longest
		{"x /a/ P old, x /a P old", "x /a/b", 0},
		{"x /a P old, x /a/ P young", "x /a/", 0}, // but not against an older one
		{"x / D, x /a P", "x /a", 1},
		{"x / D, x /a P", "x /b", 0},
		{"x / D, x / P", "x /b", 1},
		{"x / P", "x *", -1}, // only what starts with a slash is under the root
	} {
		var routes []routing.Route
		for spec := range strings.SplitSeq(tt.routes, ", ") {
			f := strings.Fields(spec)
			r := routing.Route{Host: strings.TrimPrefix(f[0], "_"), Path: f[1]}
			switch f[2] {
			case "P":
				r.Type = routing.Prefix
			case "D":
				r.Default = true
			}
			if len(f) > 3 {
				r.Source = map[string]*routing.Source{"old": old, "young": young, "twin": twin}[f[3]]
			}
			routes = append(routes, r)
		}
		host, path, _ := strings.Cut(tt.request, " ")
		if got := oracle.Match(routes, host, path); got != tt.want {
			t.Errorf("%s; request %s: got %d, want %d", tt.routes, tt.request, got, tt.want)
		}
	}
}

func name(s string) routing.ObjectName { return routing.ObjectName{Namespace: "ns", Name: s} }
