package routing_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestBuildHostConflicts: which object is served where several ask for the same requests.
func TestBuildHostConflicts(t *testing.T) {
	source := func(name string, created int64) *routing.Source {
		namespace, name, _ := strings.Cut(name, "/")
		return &routing.Source{Ingress: routing.ObjectName{Namespace: namespace, Name: name}, Created: created}
	}
	old, young := source("z/old", 1_600_000_000), source("a/young", 1_700_000_000)
	twin, dash := source("a/twin", 1_600_000_000), source("a-b/old", 1_600_000_000)
	prefix := func(path string, s *routing.Source) routing.Route {
		return routing.Route{Path: path, Type: routing.Prefix, Source: s}
	}
	for _, tt := range []struct {
		name   string
		routes []routing.Route // their Backends are their positions
		want   []int32         // Backends that are served, sorted by path
		texts  []string        // parts of each Conflict's text
	}{
		{"none", []routing.Route{prefix("/a", old), prefix("/b", young)}, []int32{0, 1}, nil},
		{"exact and prefix are different", []routing.Route{prefix("/a", old), {Path: "/a", Source: young}}, []int32{1, 0}, nil},
		{"exact with and without slash are different", []routing.Route{{Path: "/a/", Source: old}, {Path: "/a", Source: young}}, []int32{1, 0}, nil},
		{"the older wins", []routing.Route{prefix("/a", young), prefix("/a", old)}, []int32{1},
			[]string{`Prefix path "/a" of Ingress a/young on h is not served: Prefix path "/a" of Ingress z/old matches the same requests and wins because it is older (2020-09-13T12:26:40Z, against 2023-11-14T22:13:20Z)`}},
		{"a trailing slash makes no difference", []routing.Route{prefix("/a", old), prefix("/a/", young)}, []int32{0},
			[]string{`Prefix path "/a/" of Ingress a/young`}},
		{"implementation specific is a prefix", []routing.Route{prefix("/a", young), {Path: "/a", Type: routing.ImplementationSpecific, Source: old}}, []int32{1},
			[]string{`Prefix path "/a" of Ingress a/young on h is not served: ImplementationSpecific path "/a" of Ingress z/old`}},
		{"no path is the root", []routing.Route{{Type: routing.ImplementationSpecific, Source: old}, prefix("/", young)}, []int32{0},
			[]string{`Prefix path "/" of Ingress a/young`}},
		{"equally old: the smaller name wins", []routing.Route{prefix("/a", old), prefix("/a", twin)}, []int32{1},
			[]string{"Ingress a/twin matches the same requests and wins because both are equally old and its name sorts first"}},
		{"names are compared with their slash", []routing.Route{prefix("/a", twin), prefix("/a", dash)}, []int32{1},
			[]string{"Ingress a-b/old matches"}},
		{"the same object: the first in the list wins", []routing.Route{prefix("/a", old), prefix("/a", old)}, []int32{0},
			[]string{"because it is listed first in the same object"}},
		{"the same object: the longer path wins", []routing.Route{prefix("/a", old), prefix("/a/", old)}, []int32{1},
			[]string{"because it is the longer one of the same object"}},
		{"another object's longer path does not", []routing.Route{prefix("/a", old), prefix("/a/", young)}, []int32{0},
			[]string{"wins because it is older"}},
		{"an object wins over none", []routing.Route{prefix("/a", nil), prefix("/a", old)}, []int32{1},
			[]string{"of no object on h"}},
		{"three of them", []routing.Route{prefix("/a", young), prefix("/a", twin), prefix("/a", old)}, []int32{1},
			[]string{"of Ingress z/old on h is not served: Prefix path \"/a\" of Ingress a/twin", "of Ingress a/young on h is not served: Prefix path \"/a\" of Ingress a/twin"}},
		{"a default backend gives way in silence", []routing.Route{{Default: true, Source: old}, prefix("/", young)}, []int32{1}, nil},
		{"two default backends", []routing.Route{{Default: true, Source: young}, {Default: true, Source: old}}, []int32{1},
			[]string{"default backend of Ingress a/young for h is not used: that of Ingress z/old wins because it is older"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.routes {
				tt.routes[i].Backend = int32(i)
			}
			var attached []*routing.Route
			b := routing.Builder{Attach: func(r *routing.Route) { attached = append(attached, r) }}
			h, conflicts := b.BuildHost("H", tt.routes)
			var got []int32
			for r := range h.Routes() {
				got = append(got, r.Backend)
				if r.Host != "h" {
					t.Errorf("route of host %q", r.Host)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if built := slices.Collect(h.Routes()); !slices.Equal(attached, built) {
				t.Errorf("attached %v, built %v", attached, built)
			}
			if len(conflicts) != len(tt.texts) {
				t.Fatalf("got conflicts %v, want %d", conflicts, len(tt.texts))
			}
			for i, c := range conflicts {
				if !strings.Contains(c.Error(), tt.texts[i]) {
					t.Errorf("got  %s\nwant %s", c, tt.texts[i])
				}
			}
		})
	}
	t.Run("repeating oneself", func(t *testing.T) {
		h, conflicts := new(routing.Builder).BuildHost("h", []routing.Route{prefix("/a", old), prefix("/a/", old)})
		if n := len(slices.Collect(h.Routes())); n != 1 || conflicts != nil {
			t.Errorf("got %d routes, conflicts %v", n, conflicts)
		}
	})
}

// TestBuildDefault picks one default backend of all.
func TestBuildDefault(t *testing.T) {
	var b routing.Builder
	if r, conflicts := b.BuildDefault(nil); r != nil || conflicts != nil {
		t.Errorf("got %v, %v of nothing", r, conflicts)
	}
	attached := 0
	b.Attach = func(*routing.Route) { attached++ }
	r, conflicts := b.BuildDefault([]routing.Route{
		{Backend: 1, Source: &routing.Source{Created: 2}}, {Backend: 2, Source: &routing.Source{Created: 1}},
	})
	if r.Backend != 2 || !r.Default || attached != 1 || len(conflicts) != 1 {
		t.Errorf("got %+v, attached %d, conflicts %v", r, attached, conflicts)
	}
	if text := conflicts[0].Error(); !strings.Contains(text, "default backend of Ingress / for any host is not used") {
		t.Error(text)
	}
}
