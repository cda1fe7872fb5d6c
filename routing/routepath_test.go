package routing_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/oracle"
)

// TestParsePath: an Ingress's spelling becomes the path that a request with it has, or is refused with a reason.
func TestParsePath(t *testing.T) {
	for _, tt := range []struct{ spelled, path, spelling string }{
		{"/", "/", "/"},
		{"/a/b.c", "/a/b.c", "/a/b.c"},
		{"/a%20b", "/a b", "/a%20b"},
		{"/a b", "/a b", "/a%20b"}, // which no client can send
		{"/caf%C3%A9", "/café", "/café"},
		{"/café", "/café", "/café"},
		{"/%7Ev", "/~v", "/~v"},
		{"/%7ev/", "/~v/", "/~v/"},
		{"/a%3Fb", "/a?b", "/a%3Fb"},
		{"/a%23b", "/a#b", "/a%23b"},
		{"/100%25", "/100%", "/100%25"},
		{"/%2561", "/%61", "/%2561"}, // decoded once
		{"/%0A%ff", "/\n\xff", "/%0A%FF"},
		{"/a%2Fb", "/a/b", "/a/b"},
		{"/a//b/./c/../d", "/a/b/d", "/a/b/d"},
	} {
		got, err := routing.ParsePath(tt.spelled)
		if err != nil || got != tt.path {
			t.Errorf("%q: %q, %v, want %q", tt.spelled, got, err, tt.path)
		}
		r := routing.Route{Path: got}
		if s := r.Spelling(); s != tt.spelling {
			t.Errorf("%q is spelled %q, want %q", tt.spelled, s, tt.spelling)
		} else if back, err := routing.ParsePath(s); err != nil || back != got {
			t.Errorf("%q is spelled %q, which is %q, %v", tt.spelled, s, back, err)
		}
	}
	for _, tt := range []struct{ spelled, reason string }{
		{"", "starts with"}, {"a", "starts with"}, {"/x?y=1", "query"}, {"/x#y", "fragment"}, {"/a\tb", "control"}, {"/a\x7f", "control"},
		{"/%", "escape"}, {"/%zz", "escape"}, {"/100%", "escape"}, {"/%2", "escape"}, {"/%00", "%00"}, {"/..", "above the root"}, {"/a/%2e%2e/%2E./b", "above the root"},
	} {
		if got, err := routing.ParsePath(tt.spelled); err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%q: %q, %v, want an error about %q", tt.spelled, got, err, tt.reason)
		}
	}
}

// spellings are segments of which several are the same.
var spellings = []string{"a", "%61", "b", "a b", "a%20b", "~", "%7E", "%7e", "é", "%C3%A9", "%c3%a9", "", ".", "..", "%2e%2E", "a%2Fb", "%2561", "?", "%3F", "%", "%zz", "%00", "\x01", "%FF"}

// agreeSpelled reads spec as Routes with paths of these, and compares with the oracle for requests with the
// same.
func agreeSpelled(t *testing.T, spec []byte, request string) {
	t.Helper()
	d := decoder{spec}
	spelled := func() string {
		var b strings.Builder
		for range 1 + d.next(3) {
			b.WriteString("/" + spellings[d.next(len(spellings))])
		}
		return b.String()
	}
	routes := make([]routing.Route, d.next(8))
	var parsed []routing.Route
	requests := []string{request}
	for i := range routes {
		routes[i] = routing.Route{Host: "h", Type: routing.PathType(d.next(3)), Source: words.sources[d.next(len(words.sources))], Path: spelled(), Backend: int32(i)}
		requests = append(requests, routes[i].Path, routes[i].Path+"/a", strings.ReplaceAll(routes[i].Path, " ", "%20"))
		r := routes[i]
		path, err := routing.ParsePath(r.Path)
		if want, ok := oracle.DecodeRoute(r.Path); ok != (err == nil) || path != want {
			t.Fatalf("ParsePath(%q) = %q, %v, the oracle says %q, %v", r.Path, path, err, want, ok)
		}
		if err != nil {
			continue
		}
		r.Path = path
		parsed = append(parsed, r)
	}
	for range 4 {
		requests = append(requests, spelled())
	}
	table := tableOf(t, map[string][]routing.Route{"h": parsed}, nil, asBuilt)
	for _, raw := range requests {
		want, refused := oracle.MatchSpelled(routes, "h", raw)
		path, ok := routing.NormalizePath(nil, []byte(raw))
		if ok == refused {
			t.Fatalf("NormalizePath(%q) = %q, %v, the oracle refuses: %v", raw, path, ok, refused)
		}
		if !ok {
			continue
		}
		got := -1
		if r := table.Match([]byte("h"), path); r != nil {
			got = int(r.Backend)
		}
		if got != want {
			t.Fatalf("%q: got route %d, the oracle says %d\nroutes: %+v", raw, got, want, routes)
		}
	}
}

// TestSpellingsOfOnePath: every pair of spellings is one Route or two, by the oracle, and a
// conflict where they are one.
func TestSpellingsOfOnePath(t *testing.T) {
	old, young := &routing.Source{Created: 1, Ingress: routing.ObjectName{Namespace: "n", Name: "old"}}, &routing.Source{Created: 2, Ingress: routing.ObjectName{Namespace: "n", Name: "young"}}
	for i, a := range spellings {
		for j, b := range spellings {
			pathA, errA := routing.ParsePath("/x/" + a)
			pathB, errB := routing.ParsePath("/x/" + b)
			if errA != nil || errB != nil {
				continue
			}
			_, conflicts := new(routing.Builder).BuildHost("h", []routing.Route{
				{Path: pathA, Type: routing.Exact, Source: young, Backend: 1}, {Path: pathB, Type: routing.Exact, Source: old, Backend: 2}})
			wantA, _ := oracle.DecodeRoute("/x/" + a)
			wantB, _ := oracle.DecodeRoute("/x/" + b)
			if one := len(conflicts) == 1; one != (wantA == wantB) {
				t.Errorf("%q (%d) and %q (%d): conflicts %v", a, i, b, j, conflicts)
			}
			for _, c := range conflicts {
				if c.Winner != old {
					t.Errorf("%q and %q: %s", a, b, c)
				}
			}
		}
	}
}

// FuzzParsePath: an accepted path is the one that the very same request has, and its Spelling leads back.
func FuzzParsePath(f *testing.F) {
	for _, s := range spellings {
		f.Add("/" + s)
	}
	f.Fuzz(func(t *testing.T, spelled string) {
		path, err := routing.ParsePath(spelled)
		want, ok := oracle.DecodeRoute(spelled)
		if spelled == "" {
			ok = false // a request may be without a path, a Route not
		}
		if ok != (err == nil) || ok && path != want {
			t.Fatalf("ParsePath(%q) = %q, %v, the oracle says %q, %v", spelled, path, err, want, ok)
		}
		if err != nil {
			return
		}
		r := routing.Route{Path: path}
		again, err := routing.ParsePath(r.Spelling())
		if err != nil || again != path {
			t.Fatalf("%q is spelled %q, which is %q, %v", path, r.Spelling(), again, err)
		}
		if fields := strings.Fields(r.Spelling()); len(fields) != 1 || !utf8.ValidString(r.Spelling()) {
			t.Fatalf("%q is spelled %q", path, r.Spelling())
		}
	})
}
