package routing_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/genroutes"
)

// BenchmarkMatch is the lookup alone, over tables of 10 to 100,000 Routes, all of one host or one
// a host. "hot" cycles through 64 requests, so that the table's size shows rather than the memory's
// speed; "spread" through 64Ki requests over the whole table, where every lookup misses the caches
// that a real gateway would miss only for its rarest Routes.
func BenchmarkMatch(b *testing.B) {
	for _, size := range []int{1, 10, 1_000, 100_000} {
		for _, shape := range []struct {
			name   string
			routes []routing.Route
		}{
			{"paths", genroutes.OneHost("api.example.com", size)},
			{"hosts", genroutes.ManyHosts(size)},
		} {
			table := build(b, shape.routes)
			for _, load := range []struct {
				name     string
				requests []genroutes.Request
			}{
				{"hot", genroutes.Hits(shape.routes, 64)},
				{"spread", genroutes.Hits(shape.routes, 1<<16)},
				{"miss", genroutes.Misses(shape.routes, 64)},
			} {
				b.Run(fmt.Sprintf("%s=%d/%s", shape.name, size, load.name), func(b *testing.B) {
					match(b, table, load.requests)
				})
			}
		}
	}
}

// BenchmarkForm compares the forms of a Host of few Routes; maxRecords and minShortcut were chosen by it.
func BenchmarkForm(b *testing.B) {
	for _, size := range []int{1, 2, 4, 8, 16, 32, 64, 128} {
		routes := genroutes.OneHost("h", size)
		requests := genroutes.Hits(routes, 64)
		for _, form := range []struct {
			name string
			of   func(*routing.Host) *routing.Host
		}{{"records", routing.WithRecords}, {"trie", routing.WithTrie}, {"shortcut", routing.WithShortcut}} {
			b.Run(fmt.Sprintf("paths=%d/%s", size, form.name), func(b *testing.B) {
				match(b, tableOf(b, map[string][]routing.Route{"h": routes}, nil, form.of), requests)
			})
		}
	}
}

// BenchmarkMatchWorst is the deepest walk we know: a path of 500 segments, each of them a Route and
// every node of the trie one byte long, so that no label saves a step.
func BenchmarkMatchWorst(b *testing.B) {
	var routes []routing.Route
	for i := range 500 {
		path := strings.Repeat("/a", i)
		routes = append(routes,
			routing.Route{Host: "h", Path: path + "/a", Type: routing.Prefix},
			routing.Route{Host: "h", Path: path + "/b", Type: routing.Prefix})
	}
	table := build(b, routes)
	match(b, table, []genroutes.Request{{Host: []byte("h"), Path: []byte(strings.Repeat("/a", 500) + "c")}})
}

// BenchmarkMatchParallel has all cores look up while one publishes new Snapshots all the time.
func BenchmarkMatchParallel(b *testing.B) {
	routes := genroutes.ManyHosts(10_000)
	table := build(b, routes)
	requests := genroutes.Hits(routes, 64)
	var store routing.Store
	store.Publish(&routing.Snapshot{Table: table})
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		var builder routing.Builder
		for i := 0; !stop.Load(); i++ {
			h, _ := builder.BuildHost(routes[i%len(routes)].Host, routes[i%len(routes):][:1])
			table = table.With(map[string]*routing.Host{h.Name(): h}, nil)
			store.Publish(&routing.Snapshot{Table: table})
		}
	}()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			q := &requests[i%len(requests)]
			if store.Load().Table.Match(q.Host, q.Path) == nil {
				b.Error("no Route")
			}
		}
	})
	stop.Store(true)
	<-done
}

// BenchmarkBuild is a Table from nothing.
func BenchmarkBuild(b *testing.B) {
	for _, shape := range []struct {
		name   string
		routes []routing.Route
	}{
		{"paths=100000", genroutes.OneHost("api.example.com", 100_000)},
		{"hosts=100000", genroutes.ManyHosts(100_000)},
	} {
		b.Run(shape.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				build(b, shape.routes)
			}
		})
	}
}

// BenchmarkWith is the change of one Host among 10,000 and 100,000.
func BenchmarkWith(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		routes := genroutes.ManyHosts(size)
		table := build(b, routes)
		h, _ := new(routing.Builder).BuildHost(routes[0].Host, routes[:1])
		changed := map[string]*routing.Host{h.Name(): h}
		b.Run(fmt.Sprintf("hosts=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table = table.With(changed, nil)
			}
		})
	}
}

// BenchmarkNormalize is the work before Match: a path and a host that need nothing, and some that do.
func BenchmarkNormalize(b *testing.B) {
	dst := make([]byte, 0, 256)
	for _, path := range []string{"/", "/api/v1/orders/items/1234567", "/api/v1/a%20b/../items//7"} {
		raw := []byte(path)
		b.Run("path="+strings.ReplaceAll(path, "/", "|"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				routing.NormalizePath(dst, raw)
			}
		})
	}
	for _, host := range []string{"api.example.com", "api.example.com:8080", "API.Example.com"} {
		raw := []byte(host)
		b.Run("host="+host, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				routing.NormalizeHost(dst, raw)
			}
		})
	}
}

func match(b *testing.B, table *routing.Table, requests []genroutes.Request) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q := &requests[i&(len(requests)-1)]
		i++
		table.Match(q.Host, q.Path)
	}
}

// build makes the Table of routes, which may be in any order.
func build(tb testing.TB, routes []routing.Route) *routing.Table {
	tb.Helper()
	byHost := make(map[string][]routing.Route)
	for _, r := range routes {
		byHost[r.Host] = append(byHost[r.Host], r)
	}
	var builder routing.Builder
	changed := make(map[string]*routing.Host, len(byHost))
	for name, routes := range byHost {
		h, conflicts := builder.BuildHost(name, routes)
		if len(conflicts) != 0 {
			tb.Fatalf("build %q: %v", name, conflicts[0])
		}
		changed[name] = h
	}
	return (*routing.Table)(nil).With(changed, nil)
}
