package routing_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/oracle"
)

// agree compares the Table of routes, in every form of Host, with the oracle for every request.
// Routes are told apart by Backend, which is set to their position.
func agree(t testing.TB, routes []routing.Route, hosts, paths []string) {
	t.Helper()
	byHost := map[string][]routing.Route{}
	for i := range routes {
		routes[i].Backend = int32(i)
		name := strings.ToLower(routes[i].Host)
		byHost[name] = append(byHost[name], routes[i])
	}
	fallback := &routing.Route{Default: true, Backend: -1}
	tables := map[string]*routing.Table{
		"as built": tableOf(t, byHost, fallback, asBuilt),
		"trie":     tableOf(t, byHost, fallback, routing.WithTrie),
		"shortcut": tableOf(t, byHost, fallback, routing.WithShortcut),
	}
	for _, host := range hosts {
		for _, path := range paths {
			want := int32(oracle.Match(routes, host, path))
			for form, table := range tables {
				got := table.Match([]byte(host), []byte(path))
				if got.Backend != want {
					t.Fatalf("%q %q (%s): got route %d, the oracle says %d\nroutes: %+v\n%s",
						host, path, form, got.Backend, want, routes, table.Explain([]byte(host), []byte(path)))
				}
			}
			got, e := tables["as built"].Match([]byte(host), []byte(path)), tables["as built"].Explain([]byte(host), []byte(path))
			if e.Route != got {
				t.Fatalf("%q %q: Explain says %v, Match %v", host, path, e.Route, got)
			}
			if got != fallback && !slices.ContainsFunc(e.Candidates, func(c routing.Candidate) bool { return c.Route == got && c.Matches }) {
				t.Fatalf("%q %q: Explain does not consider the answer %v a match", host, path, got)
			}
		}
	}
}

// TestMatchEveryPathSet is exhaustive over sets of up to three Routes of one host, in a universe of
// segments a, b and ab (which starts like a), depth up to three, with and without trailing slashes.
func TestMatchEveryPathSet(t *testing.T) {
	paths := []string{"/", "/a", "/a/", "/b", "/ab", "/a/a", "/a/b", "/a/b/", "/ab/a", "/b/a", "/a/b/a", "/a/b/ab"}
	requests := slices.Concat(paths, []string{"/b/", "/ab/", "/a/ab", "/a/b/b", "/a/b/ab/", "/a/b/ab/a", "/aa", "/abb", "/c", "*", ""})
	var universe []routing.Route
	for _, p := range paths {
		universe = append(universe,
			routing.Route{Host: "h", Path: p, Type: routing.Exact},
			routing.Route{Host: "h", Path: p, Type: routing.Prefix})
	}
	n := len(universe)
	for i := range n {
		agree(t, []routing.Route{universe[i]}, []string{"h"}, requests)
		for j := range i {
			agree(t, []routing.Route{universe[i], universe[j]}, []string{"h"}, requests)
			if testing.Short() {
				continue
			}
			for k := range j {
				agree(t, []routing.Route{universe[i], universe[j], universe[k]}, []string{"h"}, requests)
			}
		}
	}
}

// TestMatchEveryHostSet is exhaustive over which of six hosts exist, and whether each serves all
// paths or only one.
func TestMatchEveryHostSet(t *testing.T) {
	hosts := []string{"", "a", "*.a", "b.a", "*.b.a", "c.b.a"}
	requests := []string{"", "a", "b.a", "c.a", "c.b.a", "d.b.a", "d.c.b.a", ".a", "b", "a.", "*.a"}
	states := []string{"absent", "/", "/x"}
	total := 1
	for range hosts {
		total *= len(states)
	}
	for set := range total {
		var routes []routing.Route
		for rest, i := set, 0; i < len(hosts); rest, i = rest/len(states), i+1 {
			if path := states[rest%len(states)]; path != "absent" {
				routes = append(routes, routing.Route{Host: hosts[i], Path: path, Type: routing.Prefix})
			}
		}
		agree(t, routes, requests, []string{"/", "/x/y"})
	}
}

// FuzzMatch reads bytes as Routes and requests over few words, so that they meet often, and compares
// with the oracle.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("\x03\x01\x01\x02\x00\x01\x02\x03\x01\x00\x01"), []byte("/a/b"))
	f.Add([]byte("\x09aaaaabbbbbcccccdddddeeeeefffff\x01\x02\x03\x04"), []byte("/ab/a/"))
	f.Add([]byte("\x06\x00\x00\x02\x05\x06\x00\x00\x01\x02\x07\x08\x00\x00\x01\x03\x0b\x0c\x0d"), []byte("/%7Ev/caf%c3%a9"))
	f.Fuzz(func(t *testing.T, spec, request []byte) {
		d := decoder{spec}
		routes := make([]routing.Route, d.next(16))
		var paths []string
		for i := range routes {
			routes[i] = d.route()
			paths = append(paths, routes[i].Path, routes[i].Path+"/", routes[i].Path+"a", strings.TrimSuffix(routes[i].Path, "/"))
		}
		for range 4 {
			paths = append(paths, d.path())
		}
		paths = append(paths, string(request))
		slices.Sort(paths)
		agree(t, routes, append(slices.Clone(words.hosts), string(request)), slices.Compact(paths))
		agreeSpelled(t, spec, string(request))
	})
}

// words are decoder's choices.
var words = struct {
	hosts, segments []string
	sources         []*routing.Source
}{
	hosts:    []string{"h", "", "a", "*.a", "b.a", "*.b.a", "c.b.a", "*.c.b.a"},
	segments: []string{"", "a", "b", "ab", "abc", "a.b", "ba", "\x00\xff"},
	sources: []*routing.Source{
		nil,
		{Created: 1, Ingress: routing.ObjectName{Namespace: "n", Name: "b"}},
		{Created: 1, Ingress: routing.ObjectName{Namespace: "n", Name: "a"}},
		{Created: 2, Ingress: routing.ObjectName{Namespace: "m", Name: "a"}},
	},
}

// A decoder turns bytes into Routes; after the last byte everything is the first choice.
type decoder struct{ rest []byte }

func (d *decoder) next(n int) int {
	if len(d.rest) == 0 {
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return int(c) % n
}

func (d *decoder) path() string {
	var b strings.Builder
	for range d.next(5) {
		b.WriteString("/" + words.segments[d.next(len(words.segments))])
	}
	if b.Len() == 0 || d.next(4) == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

func (d *decoder) route() routing.Route {
	r := routing.Route{
		Host:   words.hosts[d.next(len(words.hosts))],
		Type:   routing.PathType(d.next(3)),
		Path:   d.path(),
		Source: words.sources[d.next(len(words.sources))],
	}
	if d.next(16) == 15 {
		r.Default, r.Path = true, ""
	}
	return r
}
