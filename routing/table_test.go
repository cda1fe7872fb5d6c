package routing_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/genroutes"
)

// TestWithAgainstMap changes a Table at random, mirrors that in a map, and compares after each step.
// The Table of the step before must not have changed.
func TestWithAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	names := []string{""}
	for i := range 60 {
		names = append(names, fmt.Sprintf("h%d.example", i), fmt.Sprintf("*.w%d.example", i))
	}
	var table *routing.Table
	model := map[string]*routing.Host{}
	for step := range 400 {
		changed := map[string]*routing.Host{}
		// Grow for a while, then shrink to nothing, and again.
		deletes := 1 + step/100%2*3
		for range r.IntN(8) {
			name := names[r.IntN(len(names))]
			changed[name] = nil
			if r.IntN(5) >= deletes {
				changed[name] = hostOf(name, "/", fmt.Sprintf("/%d", step))
			}
		}
		before, was := table, maps.Clone(model)
		fallback := &routing.Route{Default: true, Backend: int32(step)}
		table = table.With(changed, fallback)
		for name, h := range changed {
			model[name] = h
			if h == nil {
				delete(model, name)
			}
		}
		mustHold(t, before, was)
		mustHold(t, table, model)
		if table.Default() != fallback {
			t.Fatal("the default Route is not the one given")
		}
	}
}

// mustHold fails when table has other Hosts than model.
func mustHold(t *testing.T, table *routing.Table, model map[string]*routing.Host) {
	t.Helper()
	if err := routing.Validate(table); err != nil {
		t.Fatal(err)
	}
	got := slices.Collect(table.Hosts())
	want := slices.Sorted(maps.Keys(model))
	if len(got) != len(want) {
		t.Fatalf("got %d hosts, want %d", len(got), len(want))
	}
	for i, name := range want {
		if got[i] != model[name] || table.Host(name) != model[name] {
			t.Fatalf("host %q is not the one given", name)
		}
		asked := []byte(strings.Replace(name, "*", "www", 1))
		if r := table.Match(asked, []byte("/x")); r == nil || r.Host != name || r.Default {
			t.Fatalf("%q matched %+v, want host %q", asked, r, name)
		}
	}
}

// TestWithWrongName has a Host given under another name, which is a fault of the caller.
func TestWithWrongName(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG:") {
			t.Errorf("got %v", r)
		}
	}()
	(*routing.Table)(nil).With(map[string]*routing.Host{"a": hostOf("b", "/")}, nil)
}

// TestMatchWhateverTheHistory is metamorphic: the order of Routes, the steps that led to a Table,
// Hosts that came and went, and unrelated Hosts change no answer and no line of the dump.
func TestMatchWhateverTheHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	routes := slices.Concat(genroutes.ManyHosts(300), genroutes.OneHost("api.example.com", 300))
	requests := slices.Concat(genroutes.Hits(routes, 512), genroutes.Misses(routes, 512))
	want := build(t, routes)
	wantText := dump(t, &routing.Snapshot{Table: want})

	shuffled := slices.Clone(routes)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })

	var stepwise *routing.Table
	hosts := slices.Collect(want.Hosts())
	r.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	for i, h := range hosts {
		gone := fmt.Sprintf("gone-%d.example", i)
		stepwise = stepwise.With(map[string]*routing.Host{h.Name(): h, gone: hostOf(gone, "/")}, nil)
		if i > 0 {
			stepwise = stepwise.With(map[string]*routing.Host{fmt.Sprintf("gone-%d.example", i-1): nil}, nil)
		}
	}
	stepwise = stepwise.With(map[string]*routing.Host{fmt.Sprintf("gone-%d.example", len(hosts)-1): nil}, nil)

	unrelated := want.With(map[string]*routing.Host{
		"unrelated.invalid": hostOf("unrelated.invalid", "/"), "*.unrelated.invalid": hostOf("*.unrelated.invalid", "/"),
	}, nil)

	for name, table := range map[string]*routing.Table{"rebuilt": build(t, routes), "shuffled": build(t, shuffled), "stepwise": stepwise, "with unrelated hosts": unrelated} {
		if err := routing.Validate(table); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if table != unrelated && dump(t, &routing.Snapshot{Table: table}) != wantText {
			t.Errorf("%s: the dump differs", name)
		}
		for _, q := range requests {
			a, b := want.Match(q.Host, q.Path), table.Match(q.Host, q.Path)
			if (a == nil) != (b == nil) || a != nil && a.Backend != b.Backend {
				t.Errorf("%s: %s%s gives %v, want %v", name, q.Host, q.Path, b, a)
			}
		}
	}
}

// TestMatchAtScale has generated requests for large tables answered by shortcuts and by walks alike;
// those that should hit hit, and the others miss.
func TestMatchAtScale(t *testing.T) {
	for name, routes := range map[string][]routing.Route{
		"one host": genroutes.OneHost("h", 20_000), "many hosts": genroutes.ManyHosts(20_000),
	} {
		byHost := map[string][]routing.Route{}
		for _, r := range routes {
			byHost[r.Host] = append(byHost[r.Host], r)
		}
		built := tableOf(t, byHost, nil, asBuilt)
		walks := tableOf(t, byHost, nil, routing.WithTrie)
		for _, q := range genroutes.Hits(routes, 20_000) {
			a, b := built.Match(q.Host, q.Path), walks.Match(q.Host, q.Path)
			if a == nil || b == nil || a.Backend != b.Backend {
				t.Fatalf("%s: %s%s: as built %v, by walk %v", name, q.Host, q.Path, a, b)
			}
		}
		for _, q := range genroutes.Misses(routes, 20_000) {
			if a, b := built.Match(q.Host, q.Path), walks.Match(q.Host, q.Path); a != nil || b != nil {
				t.Fatalf("%s: %s%s: as built %v, by walk %v", name, q.Host, q.Path, a, b)
			}
		}
	}
}

// hostOf is a Host with Prefix Routes for paths.
func hostOf(name string, paths ...string) *routing.Host {
	var routes []routing.Route
	for _, p := range paths {
		routes = append(routes, routing.Route{Path: p, Type: routing.Prefix})
	}
	h, _ := new(routing.Builder).BuildHost(name, routes)
	return h
}

func dump(t *testing.T, s *routing.Snapshot) string {
	t.Helper()
	var b strings.Builder
	if err := s.Dump(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
