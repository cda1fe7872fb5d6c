package routing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestMatchSpecification is the Ingress specification's tables (path types, several matches,
// wildcard hosts), row by row, then the rules the specification leaves to us.
func TestMatchSpecification(t *testing.T) {
	for _, tt := range []struct {
		routes  string // "[host]path type", comma-separated; the host is "h" if left out
		request string // "[host]path"; the host is "h" if left out
		want    string // a Route as written in routes, or "default"
	}{
		// The table of path types.
		{"/ P", "/", "/ P"},
		{"/ P", "/any/path", "/ P"},
		{"/ P", "/any/path/", "/ P"},
		{"/foo E", "/foo", "/foo E"},
		{"/foo E", "/bar", "default"},
		{"/foo E", "/foo/", "default"},
		{"/foo/ E", "/foo", "default"},
		{"/foo/ E", "/foo/", "/foo/ E"},
		{"/foo P", "/foo", "/foo P"},
		{"/foo P", "/foo/", "/foo P"},
		{"/foo/ P", "/foo", "/foo/ P"},
		{"/foo/ P", "/foo/", "/foo/ P"},
		{"/aaa/bb P", "/aaa/bbb", "default"},
		{"/aaa/bbb P", "/aaa/bbb", "/aaa/bbb P"},
		{"/aaa/bbb/ P", "/aaa/bbb", "/aaa/bbb/ P"}, // ignores the Route's trailing slash
		{"/aaa/bbb P", "/aaa/bbb/", "/aaa/bbb P"},  // matches the request's
		{"/aaa/bbb P", "/aaa/bbb/ccc", "/aaa/bbb P"},
		{"/aaa/bbb P", "/aaa/bbbxyz", "default"}, // no string prefix
		{"/ P, /aaa P", "/aaa/ccc", "/aaa P"},
		{"/ P, /aaa P, /aaa/bbb P", "/aaa/bbb", "/aaa/bbb P"},
		{"/ P, /aaa P, /aaa/bbb P", "/ccc", "/ P"},
		{"/aaa P", "/ccc", "default"},
		{"/foo P, /foo E", "/foo", "/foo E"},

		// The table of wildcard hosts.
		{"[*.foo.com]/ P", "[bar.foo.com]/", "[*.foo.com]/ P"},
		{"[*.foo.com]/ P", "[baz.bar.foo.com]/", "default"}, // one label only
		{"[*.foo.com]/ P", "[foo.com]/", "default"},

		// Hosts: the most specific is asked, and only that.
		{"[bar.foo.com]/ P, [*.foo.com]/ P, []/ P", "[bar.foo.com]/", "[bar.foo.com]/ P"},
		{"[bar.foo.com]/ P, [*.foo.com]/ P, []/ P", "[baz.foo.com]/", "[*.foo.com]/ P"},
		{"[bar.foo.com]/ P, [*.foo.com]/ P, []/ P", "[foo.com]/", "[]/ P"},
		{"[bar.foo.com]/ P, [*.foo.com]/ P, []/ P", "[a.bar.foo.com]/", "[]/ P"},
		{"[bar.foo.com]/a P, [*.foo.com]/ P", "[bar.foo.com]/b", "default"}, // no falling through
		{"[*.foo.com]/a P, []/ P", "[bar.foo.com]/b", "default"},
		{"[*.bar.foo.com]/ P, [*.foo.com]/ P", "[a.bar.foo.com]/", "[*.bar.foo.com]/ P"},
		{"[*.com]/ P", "[foo.com]/", "[*.com]/ P"},
		{"[*.foo.com]/ P", "[.foo.com]/", "default"}, // the label may not be empty
		{"[FOO.com]/ P", "[foo.com]/", "[FOO.com]/ P"},
		{"[]/ P", "[]/", "[]/ P"},

		// Paths: case, boundaries, order.
		{"/Foo P", "/foo", "default"},
		{"/foo I", "/foo/bar", "/foo I"}, // ImplementationSpecific is Prefix
		{"/foo I", "/foobar", "default"},
		{"/foo I, /foo E", "/foo", "/foo E"},
		{"/foo/ E, /foo P", "/foo/", "/foo/ E"},
		{"/foo/ E, /foo P", "/foo", "/foo P"},
		{"/foo P, /foo/ P", "/foo", "/foo/ P"}, // both match, and one is longer
		{"/foo P, /foo/ P", "/foo/", "/foo/ P"},
		{"/foo/ P, /foo P", "/foo/bar", "/foo/ P"},
		{"/foo I, /foo/ P", "/foo", "/foo/ P"},
		{"/foo P, /foo/ P, /foo E", "/foo", "/foo E"},
		{"/foo E, /foo/ P", "/foo", "/foo E"},
		{"/foo E, /foo/ P", "/foo/", "/foo/ P"},
		{"/ E, / P", "/", "/ E"},
		{"/ E, / P", "/x", "/ P"},
		{"/ E", "/x", "default"},
		{"/a P, /a/b/c E", "/a/b/c/d", "/a P"},     // back over a node without a Route
		{"/a P, /ab/c P", "/ab/d", "default"},      // /a is no segment of /ab
		{"/a P, /a/bc P, /a/bd P", "/a/b", "/a P"}, // ends between two nodes
		{"/a P, /a/bcd P", "/a/bce", "/a P"},       // differs within a label
		{"/a P", "/a//", "/a P"},                   // a path not normalised is still no surprise
		{"/ü P", "/ü/x", "/ü P"},
	} {
		t.Run(tt.routes+" < "+tt.request, func(t *testing.T) {
			var hosts = map[string][]routing.Route{}
			specs := strings.Split(tt.routes, ", ")
			for i, spec := range specs {
				r := parseRoute(spec)
				r.Backend = int32(i)
				name := strings.ToLower(r.Host)
				hosts[name] = append(hosts[name], r)
			}
			fallback := &routing.Route{Default: true, Backend: -1}
			host, path := splitHost(tt.request)
			for _, form := range []func(*routing.Host) *routing.Host{asBuilt, routing.WithTrie, routing.WithShortcut} {
				table := tableOf(t, hosts, fallback, form)
				got := "default"
				if r := table.Match([]byte(host), []byte(path)); r != fallback {
					got = specs[r.Backend]
				}
				if got != tt.want {
					t.Errorf("got %s, want %s\n%s", got, tt.want, table.Explain([]byte(host), []byte(path)))
				}
			}
		})
	}
}

// TestMatchWithoutDefault gives nil where nothing matches, and never a wrong Route.
func TestMatchWithoutDefault(t *testing.T) {
	var none *routing.Table
	if r := none.Match([]byte("h"), []byte("/")); r != nil {
		t.Errorf("nil Table matched %v", r)
	}
	table := none.With(nil, nil)
	for _, path := range []string{"", "/", "*"} {
		if r := table.Match(nil, []byte(path)); r != nil {
			t.Errorf("empty Table matched %v", r)
		}
	}
	if table.Routes() != 0 || table.Default() != nil || len(slices.Collect(table.Hosts())) != 0 {
		t.Error("empty Table is not empty")
	}
	h, _ := new(routing.Builder).BuildHost("empty.example", nil)
	table = table.With(map[string]*routing.Host{h.Name(): h}, nil)
	if r := table.Match([]byte("empty.example"), []byte("/")); r != nil {
		t.Errorf("a Host without Routes matched %v", r)
	}
}

// TestMatchLongKeys has keys beyond what a shortcut is asked for, and what one label and one record
// can hold.
func TestMatchLongKeys(t *testing.T) {
	for _, n := range []int{routing.MaxShortcut - 1, routing.MaxShortcut, routing.MaxShortcut + 1, routing.MaxRecordKey - 1, routing.MaxRecordKey, routing.MaxRecordKey + 1, routing.MaxLabel*2 + 5} {
		key := "/" + strings.Repeat("x", n-1)
		for _, routes := range [][]routing.Route{
			{{Path: key, Type: routing.Exact}},
			{{Path: key, Type: routing.Exact}, {Path: key + "/y", Type: routing.Prefix, Backend: 1}},
			{{Path: key + "a", Type: routing.Prefix}, {Path: key + "b", Type: routing.Prefix, Backend: 1}},
		} {
			for _, form := range []func(*routing.Host) *routing.Host{asBuilt, routing.WithTrie, routing.WithShortcut} {
				table := tableOf(t, map[string][]routing.Route{"h": routes}, nil, form)
				for i, r := range routes {
					got := table.Match([]byte("h"), []byte(r.Path))
					if got == nil || got.Backend != int32(i) {
						t.Errorf("%d bytes, route %d: got %v", n, i, got)
					}
					if got := table.Match([]byte("h"), []byte(r.Path[:len(r.Path)-1]+"z")); got != nil {
						t.Errorf("%d bytes, route %d: matched another path", n, i)
					}
				}
			}
		}
	}
}

// TestMatchEveryEdge has a node with all 256 children.
func TestMatchEveryEdge(t *testing.T) {
	var routes []routing.Route
	for c := range 256 {
		routes = append(routes, routing.Route{Path: string([]byte{'/', byte(c)}), Type: routing.Exact, Backend: int32(c)})
	}
	table := tableOf(t, map[string][]routing.Route{"h": routes}, nil, asBuilt)
	for c := range 256 {
		if r := table.Match([]byte("h"), []byte{'/', byte(c)}); r == nil || r.Backend != int32(c) {
			t.Errorf("byte %#x: got %v", c, r)
		}
	}
}

// tableOf builds a Table from scratch, with every Host passed through form, and validates it.
func tableOf(t testing.TB, hosts map[string][]routing.Route, fallback *routing.Route, form func(*routing.Host) *routing.Host) *routing.Table {
	t.Helper()
	changed := map[string]*routing.Host{}
	for name, routes := range hosts {
		h, _ := new(routing.Builder).BuildHost(name, routes)
		changed[h.Name()] = form(h)
	}
	table := (*routing.Table)(nil).With(changed, fallback)
	if err := routing.Validate(table); err != nil {
		t.Fatalf("built an invalid Table: %v", err)
	}
	return table
}

func asBuilt(h *routing.Host) *routing.Host { return h }

// parseRoute reads "[host]path type".
func parseRoute(spec string) routing.Route {
	where, kind, _ := strings.Cut(spec, " ")
	host, path := splitHost(where)
	types := map[string]routing.PathType{"E": routing.Exact, "P": routing.Prefix, "I": routing.ImplementationSpecific}
	pathType, ok := types[kind]
	if !ok {
		panic(fmt.Sprintf("route %q has no type", spec))
	}
	return routing.Route{Host: host, Path: path, Type: pathType}
}

// splitHost reads "[host]path"; the host is "h" if left out.
func splitHost(s string) (host, path string) {
	if !strings.HasPrefix(s, "[") {
		return "h", s
	}
	host, path, _ = strings.Cut(s[1:], "]")
	return host, path
}
