//go:build !race

package routing_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/internal/genroutes"
)

// TestAllocations has everything that runs per request allocate nothing.
func TestAllocations(t *testing.T) {
	paths, hosts := genroutes.OneHost("h", 1000), genroutes.ManyHosts(1000)
	pathTable, hostTable := build(t, paths), build(t, hosts)
	small := tableOf(t, map[string][]routing.Route{"h": {{Path: "/", Type: routing.Prefix}}}, nil, asBuilt)
	var store routing.Store
	snapshot := &routing.Snapshot{Table: pathTable, Backends: make([]*routing.Backend, 1000)}
	store.Publish(snapshot)
	split := &routing.Split{Canary: true, Shares: []routing.Share{{Backend: 0, Weight: 9}, {Backend: 1, Weight: 1}}}
	named := &routing.Snapshot{ServerNames: manyNames(100)}
	texts, asked := regularShape(1000)
	regular := regularTable(t, texts)
	dst := make([]byte, 0, 512)
	long := []byte("/" + strings.Repeat("a/", 400))
	matchAll := func(table *routing.Table, requests []genroutes.Request) func() {
		return func() {
			for _, q := range requests {
				table.Match(q.Host, q.Path)
			}
		}
	}
	for name, f := range map[string]func(){
		"Match hit, paths":   matchAll(pathTable, genroutes.Hits(paths, 64)),
		"Match miss, paths":  matchAll(pathTable, genroutes.Misses(paths, 64)),
		"Match hit, hosts":   matchAll(hostTable, genroutes.Hits(hosts, 64)),
		"Match miss, hosts":  matchAll(hostTable, genroutes.Misses(hosts, 64)),
		"Match small":        func() { small.Match([]byte("h"), []byte("/a")) },
		"Match by walk":      func() { pathTable.Match([]byte("h"), long) },
		"Match expressions":  func() { regular.Match([]byte("h"), asked[7]); regular.Match([]byte("h"), long) },
		"Load and Backend":   func() { s := store.Load(); s.Backend(s.Table.Match([]byte("h"), paths0(paths))) },
		"Certificates":       func() { named.CertificatesFor("App-00001.test"); named.CertificatesFor("x.y.test") },
		"ClientAuth":         func() { snapshot.ClientAuthFor("a.test"); snapshot.PassthroughFor("H") },
		"Split":              func() { snapshot.ShareOf(split, split.Pick(1<<63)) },
		"path, nothing":      func() { mustPath(t, dst, "/a/b") },
		"path, empty":        func() { mustPath(t, dst, "") },
		"path, rewritten":    func() { mustPath(t, dst, "/a%20b/../c//d/.") },
		"host, nothing":      func() { mustHost(t, dst, "a.example:80") },
		"host, lowered":      func() { mustHost(t, dst, "A.Example") },
		"host, IPv6 lowered": func() { mustHost(t, dst, "[FD00::1]:80") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func paths0(routes []routing.Route) []byte {
	var buf [128]byte
	return append(buf[:0], routes[0].Path...)
}

func mustPath(t *testing.T, dst []byte, raw string) {
	if _, ok := routing.NormalizePath(dst, []byte(raw)); !ok {
		t.Fatalf("%q refused", raw)
	}
}

func mustHost(t *testing.T, dst []byte, raw string) {
	if _, ok := routing.NormalizeHost(dst, []byte(raw)); !ok {
		t.Fatalf("%q refused", raw)
	}
}

// sorting is how long this machine takes to sort the hosts and paths of routes: a measure of it, which other
// work on it only lengthens.
func sorting(routes []routing.Route) time.Duration {
	best := time.Hour
	for range 5 {
		keys := make([]string, len(routes))
		for i, r := range routes {
			keys[i] = r.Path + r.Host
		}
		start := time.Now()
		slices.Sort(keys)
		best = min(best, time.Since(start))
	}
	return best
}

// TestScale builds tables of 100,000 Routes, and weighs them: under 200 bytes a Route beside the Route itself
// and the strings that came with it. Here a build takes about ten times as long as to sort them, which is a
// fifth of a second; a second would be too much.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const n = 100_000
	for name, routes := range map[string][]routing.Route{
		"one host": genroutes.OneHost("api.example.com", n), "many hosts": genroutes.ManyHosts(n),
	} {
		byHost := map[string][]routing.Route{}
		for _, r := range routes {
			byHost[r.Host] = append(byHost[r.Host], r)
		}
		hosts := make(map[string]*routing.Host, len(byHost))
		for host := range byHost {
			hosts[host] = nil
		}
		var took time.Duration
		var table *routing.Table
		var grown int64
		bar := 60 * sorting(routes)
		for range 5 { // the best of a few: others may have the processor
			table = nil
			for host := range hosts {
				hosts[host] = nil
			}
			before := heap()
			start := time.Now()
			var b routing.Builder
			for host, routes := range byHost {
				hosts[host], _ = b.BuildHost(host, routes)
			}
			table = (*routing.Table)(nil).With(hosts, nil)
			took = time.Since(start)
			grown = heap() - before
			if took <= bar {
				break
			}
		}
		perRoute := float64(grown)/n - float64(routing.Sizes["Route"])
		t.Logf("%s: %d routes in %v of %v, %.0f bytes a route beside the Route", name, table.Routes(), took, bar, perRoute)
		if perRoute >= 200 {
			t.Errorf("%s: %.0f bytes a route, want less than 200", name, perRoute)
		}
		if took > bar {
			t.Errorf("%s: built in %v, want less than %v", name, took, bar)
		}
		runtime.KeepAlive(byHost)
		runtime.KeepAlive(routes)
		runtime.KeepAlive(hosts)
		runtime.KeepAlive(table)
	}
}

// TestMatchIsLinear has paths of 3,000 and of 30,000 segments against keys of as many, beside so many Routes that
// shorter paths would be hashed. To walk one ten times as long takes ten times as long; to hash every prefix of it,
// a hundred times.
func TestMatchIsLinear(t *testing.T) {
	walk := func(segments int) time.Duration {
		long := "/" + strings.Repeat("a/", segments)
		routes := append(genroutes.OneHost("h", 1000), routing.Route{Path: long + "x", Type: routing.Prefix})
		table := tableOf(t, map[string][]routing.Route{"h": routes}, nil, asBuilt)
		host, path, best := []byte("h"), []byte(long+"y"), time.Hour
		for range 20 {
			start := time.Now()
			for range 10 {
				if r := table.Match(host, path); r != nil {
					t.Errorf("matched %v", r)
				}
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	short, long := walk(3_000), walk(30_000)
	t.Logf("3,000 segments in %v, 30,000 in %v", short, long)
	if long > 40*short {
		t.Errorf("3,000 segments took %v, 30,000 took %v", short, long)
	}
}

// heap is the bytes in use after a full collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSizes is the byte budget: what a Table has one of per Route, Host, key or node. A row that
// grows is a decision, to be taken with TestScale's figures.
func TestSizes(t *testing.T) {
	for name, want := range map[string]uintptr{
		"Route":     64, // one a Route: a cache line
		"node":      16, // about 1.3 a Route of a Host with a trie, and an edge byte each: four to a line
		"shortSlot": 8,  // 1.3 to 2.7 a key of a Host with a shortcut
		"Host":      64, // one a Host: a cache line
		"slot":      32, // 1.3 to 2.7 a Host: two to a line
		"trie":      72, // one a Host of more than maxRecords Routes
		"Endpoint":  64,
		"Backend":   160, // one a Service port
	} {
		if got := routing.Sizes[name]; got != want {
			t.Errorf("%s: %d bytes, want %d", name, got, want)
		}
	}
}
