package stats

import (
	"flag"
	"math"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

var update = flag.Bool("update", false, "rewrite METRICS.md")

// fakeLoop runs posted functions on one goroutine, as an event loop does.
type fakeLoop struct {
	posted chan func()
	done   sync.WaitGroup
}

func startLoop() *fakeLoop {
	l := &fakeLoop{posted: make(chan func(), 64)}
	l.done.Go(func() {
		for f := range l.posted {
			f()
		}
	})
	return l
}

func (l *fakeLoop) post(f func()) { l.posted <- f }

// do runs f on the loop and waits for it.
func (l *fakeLoop) do(f func()) {
	done := make(chan struct{})
	l.post(func() { f(); close(done) })
	<-done
}

func (l *fakeLoop) stop() {
	close(l.posted)
	l.done.Wait()
}

func snapshotOf(services ...string) func() *routing.Snapshot {
	s := &routing.Snapshot{}
	for i, name := range services {
		s.Backends = append(s.Backends, &routing.Backend{Index: int32(i), Key: routing.BackendKey{Namespace: "shop", Service: name, Port: "80"}})
	}
	return func() *routing.Snapshot { return s }
}

func routeOf(ingress, host, path string, backend int32) *routing.Route {
	return &routing.Route{Host: host, Path: path, Backend: backend, Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "shop", Name: ingress}}}
}

// roomy are limits that no test reaches that is not about them.
var roomy = Limits{Series: 1e6, PerNamespace: 1e6, Histograms: RouteHistograms()}

// scrapeAll returns the whole answer.
func scrapeAll(t *testing.T, r *Registry) string {
	t.Helper()
	var text strings.Builder
	text.WriteString(gather(t, r.Collector()))
	if err := r.WriteRoutes(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// gather returns the answer of one collector.
func gather(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	p := prometheus.NewPedanticRegistry()
	if err := p.Register(c); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(p, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: %d\n%s", w.Code, w.Body)
	}
	return w.Body.String()
}

// scrape returns the sample lines that contain all parts.
func scrape(t *testing.T, r *Registry, parts ...string) []string {
	t.Helper()
	return linesWith(scrapeAll(t, r), parts...)
}

// linesWith returns the sample lines of text that contain all parts.
func linesWith(text string, parts ...string) []string {
	var lines []string
next:
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, part := range parts {
			if strings.HasPrefix(line, "#") || !strings.Contains(line, part) {
				continue next
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestScrape(t *testing.T) {
	r := NewRegistry(snapshotOf("cart", "fallback"), nil, roomy)
	a, b := startLoop(), startLoop()
	defer a.stop()
	defer b.stop()
	sa := r.NewShard(a.post, func(c *Counters) { c.UpstreamIdle = 7 })
	sb := r.NewShard(b.post, nil)
	route := routeOf("web", "shop.example", "/cart", 0)
	series := r.Attach(route)

	a.do(func() {
		sa.ConnectionsAccepted += 3
		sa.ConnectionsClosed[ClosedIdle]++
		sa.ExchangesStarted += 3
		sa.Record(series, &Event{Method: uint8(message.MethodGet), Status: 200, BytesIn: 80, BytesOut: 5000, Duration: 3e6, Upstream: 2e6, Header: 1e6})
		sa.Record(nil, &Event{Method: uint8(message.MethodPost), Status: 404, Reason: NoRoute, BytesIn: 100, BytesOut: 150, Duration: 100e3})
	})
	b.do(func() {
		sb.Record(series, &Event{Method: uint8(message.MethodGet), Status: 200, BytesIn: 80, BytesOut: 5000, Duration: 20e9, Upstream: 20e9, Connect: 1e6, Header: 1e6})
		sb.Record(series, &Event{Method: 200, Status: 0, Reason: ClientAbort})
	})
	wantLines(t, scrape(t, r, "nginx_ingress_controller_requests"),
		`nginx_ingress_controller_requests{canary="",host="",ingress="",method="POST",namespace="",path="",service="",status="404"} 1`,
		`nginx_ingress_controller_requests{canary="",host="shop.example",ingress="web",method="GET",namespace="shop",path="/cart",service="cart",status="200"} 2`,
		`nginx_ingress_controller_requests{canary="",host="shop.example",ingress="web",method="other",namespace="shop",path="/cart",service="cart",status="0"} 1`,
	)
	wantLines(t, scrape(t, r, "sluice_requests_total"),
		`sluice_requests_total{method="GET",status="200"} 2`,
		`sluice_requests_total{method="POST",status="404"} 1`,
		`sluice_requests_total{method="other",status="0"} 1`,
	)
	wantLines(t, scrape(t, r, "nginx_ingress_controller_request_duration_seconds", `ingress="web"`, "_count"),
		`nginx_ingress_controller_request_duration_seconds_count{canary="",host="shop.example",ingress="web",namespace="shop",path="/cart",service="cart"} 3`)
	wantLines(t, scrape(t, r, "sluice_request_duration_seconds"),
		`sluice_request_duration_seconds_bucket{le="0.00025"} 2`, // the 404 and the abort, of no duration
		`sluice_request_duration_seconds_bucket{le="0.0005"} 2`,
		`sluice_request_duration_seconds_bucket{le="0.001"} 2`,
		`sluice_request_duration_seconds_bucket{le="0.0025"} 2`,
		`sluice_request_duration_seconds_bucket{le="0.005"} 3`,
		`sluice_request_duration_seconds_bucket{le="0.01"} 3`,
		`sluice_request_duration_seconds_bucket{le="0.025"} 3`,
		`sluice_request_duration_seconds_bucket{le="0.05"} 3`,
		`sluice_request_duration_seconds_bucket{le="0.1"} 3`,
		`sluice_request_duration_seconds_bucket{le="0.25"} 3`,
		`sluice_request_duration_seconds_bucket{le="0.5"} 3`,
		`sluice_request_duration_seconds_bucket{le="1"} 3`,
		`sluice_request_duration_seconds_bucket{le="2.5"} 3`,
		`sluice_request_duration_seconds_bucket{le="5"} 3`,
		`sluice_request_duration_seconds_bucket{le="10"} 3`,
		`sluice_request_duration_seconds_bucket{le="+Inf"} 4`,
		`sluice_request_duration_seconds_sum 20.0031`,
		`sluice_request_duration_seconds_count 4`,
	)
	wantLines(t, scrape(t, r, "sluice_upstream_connect_duration_seconds_count"), `sluice_upstream_connect_duration_seconds_count 2`)
	wantLines(t, scrape(t, r, "nginx_ingress_controller_response_size_sum", `ingress="web"`),
		`nginx_ingress_controller_response_size_sum{canary="",host="shop.example",ingress="web",namespace="shop",path="/cart",service="cart"} 10000`)
	wantLines(t, scrape(t, r, "sluice_connections"),
		`sluice_connections_accepted_total 3`,
		`sluice_connections_active 2`,
		`sluice_connections_closed_total{reason="client"} 0`,
		`sluice_connections_closed_total{reason="draining"} 0`,
		`sluice_connections_closed_total{reason="error"} 0`,
		`sluice_connections_closed_total{reason="idle"} 1`,
		`sluice_connections_closed_total{reason="reset"} 0`,
		`sluice_connections_closed_total{reason="response"} 0`,
		`sluice_connections_closed_total{reason="shed"} 0`,
		`sluice_connections_closed_total{reason="tunnel"} 0`,
		`sluice_connections_handed_over_total 0`,
		`sluice_connections_refused_total 0`,
	)
	wantLines(t, scrape(t, r, "sluice_request_failures_total", "} 1"),
		`sluice_request_failures_total{reason="client_abort"} 1`,
		`sluice_request_failures_total{reason="no_route"} 1`)
	wantLines(t, scrape(t, r, "sluice_upstream_connections_idle"), `sluice_upstream_connections_idle 7`)
	wantLines(t, scrape(t, r, "sluice_received_bytes_total"), `sluice_received_bytes_total 260`)
	wantLines(t, scrape(t, r, "sluice_loop_unresponsive"), `sluice_loop_unresponsive{loop="0"} 0`, `sluice_loop_unresponsive{loop="1"} 0`)
	runtime.KeepAlive(route)
	runtime.KeepAlive(series)
}

// TestHandOver checks that deltas wander: to the scraper, back to the spares, and to another Series
// without a trace of the former.
func TestHandOver(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	x, y := r.Attach(routeOf("x", "h", "/x", 0)), r.Attach(routeOf("y", "h", "/y", 0))
	count := func(series *Series) (n uint64) {
		if series.totals != nil {
			for _, c := range series.totals.codes {
				n += c.n
			}
		}
		return n
	}
	record := func(series *Series) {
		l.do(func() { s.Record(series, &Event{Method: 1, Status: 200, Duration: 1e6, Upstream: 1e6}) })
	}
	harvest := func(wantX, wantY uint64) {
		t.Helper()
		r.harvesting.Lock()
		defer r.harvesting.Unlock()
		r.harvest()
		if count(x) != wantX || count(y) != wantY {
			t.Errorf("totals %d and %d, want %d and %d", count(x), count(y), wantX, wantY)
		}
		if count(x)+count(y) > 0 && r.all.sums[timeDuration] != (wantX+wantY)*1e6 {
			t.Errorf("sum of durations %d", r.all.sums[timeDuration])
		}
	}
	harvest(0, 0)
	record(x)
	record(x)
	harvest(2, 0)
	harvest(2, 0) // gives the delta of x back
	record(y)     // takes it
	record(x)     // whose pointer to it is stale
	record(y)
	harvest(3, 2)
	harvest(3, 2)
	l.do(func() {
		if len(s.dirty) != 0 || len(s.spare) != 2 {
			t.Errorf("%d dirty and %d spare deltas, want 0 and 2", len(s.dirty), len(s.spare))
		}
	})
}

func TestAttachInterns(t *testing.T) {
	r := NewRegistry(snapshotOf("cart", "other"), nil, roomy)
	base := r.Attach(routeOf("web", "h", "/p", 0))
	tests := []struct {
		route *routing.Route
		same  bool
	}{
		{routeOf("web", "h", "/p", 0), true},
		{routeOf("api", "h", "/p", 0), false},
		{routeOf("web", "g", "/p", 0), false},
		{routeOf("web", "h", "/q", 0), false},
		{routeOf("web", "h", "/p", 1), false},
		{&routing.Route{Host: "h", Path: "/p"}, false}, // without an object
	}
	var kept []*Series
	slots := map[uint32]*Series{0: r.noRoute, base.slot: base}
	for _, test := range tests {
		s := r.Attach(test.route)
		kept = append(kept, s)
		if (s == base) != test.same {
			t.Errorf("%+v: same Series %v, want %v", test.route, s == base, test.same)
		}
		if other := slots[s.slot]; other != nil && other != s {
			t.Errorf("slot %d is given twice", s.slot)
		}
		slots[s.slot] = s
	}
	runtime.KeepAlive(kept)
}

// TestRemovedSeriesVanish churns Routes: the index, the slots and what is reported stay bounded.
func TestRemovedSeriesVanish(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	kept := r.Attach(routeOf("kept", "h", "/", 0))
	for range 5 {
		for i := range 100 {
			series := r.Attach(routeOf("gone", "h", "/"+string(rune('a'+i)), 0))
			l.do(func() { s.Record(series, &Event{Method: 1, Status: 200}) })
		}
		l.do(func() { s.Record(kept, &Event{Method: 1, Status: 200}) })
		scrape(t, r) // merges, and lets go
		runtime.GC()
		scrape(t, r) // forgets
		runtime.GC()
	}
	wantLines(t, scrape(t, r, "sluice_route_series "), "sluice_route_series 1")
	wantLines(t, scrape(t, r, "nginx_ingress_controller_requests", "gone"))
	wantLines(t, scrape(t, r, "nginx_ingress_controller_requests", "kept"),
		`nginx_ingress_controller_requests{canary="",host="h",ingress="kept",method="GET",namespace="shop",path="/",service="cart",status="200"} 5`)
	wantLines(t, scrape(t, r, "sluice_requests_total"), `sluice_requests_total{method="GET",status="200"} 505`) // the process forgets nothing
	if r.slots > 102 {
		t.Errorf("%d slots for 102 Series at a time", r.slots)
	}
	runtime.KeepAlive(kept)
}

// TestCanaryLabel: requests that a canary serves are a Series of their own, with ingress-nginx's name of its Backend.
func TestCanaryLabel(t *testing.T) {
	r := NewRegistry(snapshotOf("cart", "next"), nil, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	route := routeOf("web", "h", "/", 0)
	main, canary := r.Attach(route), r.AttachCanary(route, 1)
	if again := r.AttachCanary(route, 1); again != canary || canary == main {
		t.Error("a Series of a canary is not one of its own, or made twice")
	}
	l.do(func() {
		s.Record(main, &Event{Method: 1, Status: 200})
		s.Record(canary, &Event{Method: 1, Status: 200})
		s.Record(canary, &Event{Method: 1, Status: 200})
	})
	wantLines(t, scrape(t, r, "nginx_ingress_controller_requests"),
		`nginx_ingress_controller_requests{canary="",host="h",ingress="web",method="GET",namespace="shop",path="/",service="cart",status="200"} 1`,
		`nginx_ingress_controller_requests{canary="shop-next-80",host="h",ingress="web",method="GET",namespace="shop",path="/",service="cart",status="200"} 2`)
	runtime.KeepAlive(main)
	runtime.KeepAlive(canary)
}

// TestSameLabels: two ports of one Service are two Backends with the same labels.
func TestSameLabels(t *testing.T) {
	r := NewRegistry(snapshotOf("cart", "cart"), nil, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	x, y := r.Attach(routeOf("web", "h", "/", 0)), r.Attach(routeOf("web", "h", "/", 1))
	l.do(func() {
		s.Record(x, &Event{Method: 1, Status: 200, Duration: 1e9})
		s.Record(y, &Event{Method: 1, Status: 200, Duration: 2e9})
		s.Record(y, &Event{Method: 1, Status: 500, Duration: 1e9})
	})
	wantLines(t, scrape(t, r, "nginx_ingress_controller_requests"),
		`nginx_ingress_controller_requests{canary="",host="h",ingress="web",method="GET",namespace="shop",path="/",service="cart",status="200"} 2`,
		`nginx_ingress_controller_requests{canary="",host="h",ingress="web",method="GET",namespace="shop",path="/",service="cart",status="500"} 1`)
	wantLines(t, scrape(t, r, "nginx_ingress_controller_request_duration_seconds_sum"),
		`nginx_ingress_controller_request_duration_seconds_sum{canary="",host="h",ingress="web",namespace="shop",path="/",service="cart"} 4`)
	runtime.KeepAlive(x)
	runtime.KeepAlive(y)
}

// TestLabelsStayBounded: a Backend that invents statuses does not make label sets without end.
func TestLabelsStayBounded(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	x := r.Attach(routeOf("web", "h", "/\xff", 0)) // not UTF-8, either
	total := 0
	for round := range 90 {
		l.do(func() {
			for i := range 10 {
				s.Record(x, &Event{Method: 1, Status: uint16(100 + 10*round + i)})
				total++
			}
		})
		scrape(t, r)
	}
	l.do(func() {
		for i := range 50 { // more than one delta has room for
			s.Record(x, &Event{Method: 2, Status: uint16(200 + i)})
			total++
		}
	})
	lines := scrape(t, r, "nginx_ingress_controller_requests")
	if len(lines) > maxTotalCodes+1 {
		t.Errorf("%d label sets, want at most %d", len(lines), maxTotalCodes+1)
	}
	if n := len(scrape(t, r, "sluice_requests_total")); n > maxAllCodes+1 {
		t.Errorf("%d label sets of the process", n)
	}
	sum := uint64(0)
	for _, c := range x.totals.codes {
		sum += c.n
	}
	if sum != uint64(total) {
		t.Errorf("counted %d of %d", sum, total)
	}
}

// TestSilentLoop: a loop that does not answer costs a scrape one second, is reported, and its
// counts are merged when it comes back.
func TestSilentLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(snapshotOf("cart"), nil, roomy)
		good, bad := startLoop(), startLoop()
		sg, sb := r.NewShard(good.post, nil), r.NewShard(bad.post, nil)
		good.do(func() { sg.Record(nil, &Event{Method: 1, Status: 200}) })
		bad.do(func() { sb.Record(nil, &Event{Method: 1, Status: 200}) })
		wake := make(chan struct{})
		bad.post(func() { <-wake })

		for range 2 {
			before := time.Now()
			wantLines(t, scrape(t, r, "sluice_loop_unresponsive"), `sluice_loop_unresponsive{loop="0"} 0`, `sluice_loop_unresponsive{loop="1"} 1`)
			if took := time.Since(before); took != patience {
				t.Errorf("the scrape took %v, want %v", took, patience)
			}
		}
		wantLines(t, scrape(t, r, "sluice_requests_total"), `sluice_requests_total{method="GET",status="200"} 1`)
		close(wake)
		synctest.Wait()
		wantLines(t, scrape(t, r, "sluice_requests_total"), `sluice_requests_total{method="GET",status="200"} 2`)
		wantLines(t, scrape(t, r, "sluice_loop_unresponsive"), `sluice_loop_unresponsive{loop="0"} 0`, `sluice_loop_unresponsive{loop="1"} 0`)
		good.stop()
		bad.stop()
	})
}

// TestRunHarvests: without a scraper, deltas are still taken in.
func TestRunHarvests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(snapshotOf("cart"), nil, roomy)
		l := startLoop()
		s := r.NewShard(l.post, nil)
		var running sync.WaitGroup
		running.Go(func() { r.Run(t.Context()) })
		l.do(func() { s.Record(nil, &Event{Method: 1, Status: 200}) })
		time.Sleep(interval + time.Second)
		synctest.Wait()
		if got := r.noRoute.totals; got == nil || !slices.Equal(got.codes, codeTotals{{codeOf(1, 200), 1}}) {
			t.Errorf("nothing was harvested: %v", got)
		}
		l.stop()
		t.Cleanup(running.Wait)
	})
}

// TestConcurrentScrapes counts everything once while two loops record, Routes come and go and two
// scrapers pull. Meant for the race detector.
func TestConcurrentScrapes(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	loops := []*fakeLoop{startLoop(), startLoop()}
	var shards []*Shard
	for _, l := range loops {
		shards = append(shards, r.NewShard(l.post, nil))
	}
	shared := make([]*Series, 20)
	for i := range shared {
		shared[i] = r.Attach(routeOf("web", "h", "/"+string(rune('a'+i)), 0))
	}
	const rounds, perRound = 200, 50
	var recorders, scrapers sync.WaitGroup
	for i, l := range loops {
		recorders.Go(func() {
			for round := range rounds {
				passing := r.Attach(routeOf("passing", "h", "/"+string(rune('a'+round)), 0))
				l.do(func() {
					for n := range perRound {
						shards[i].Record(shared[(round+n)%len(shared)], &Event{Method: 1, Status: 200, BytesIn: 1})
						shards[i].Record(passing, &Event{Method: 1, Status: 200, BytesIn: 1})
					}
				})
			}
		})
	}
	stop := make(chan struct{})
	for range 2 {
		scrapers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					scrape(t, r)
				}
			}
		})
	}
	recorders.Wait()
	close(stop)
	scrapers.Wait()
	wantLines(t, scrape(t, r, "sluice_requests_total"), `sluice_requests_total{method="GET",status="200"} 40000`)
	wantLines(t, scrape(t, r, "sluice_received_bytes_total"), `sluice_received_bytes_total 40000`)
	for _, l := range loops {
		l.stop()
	}
	runtime.KeepAlive(shared)
}

func TestBuckets(t *testing.T) {
	linear := func(v uint64, bounds []uint64) int {
		i := 0
		for i < len(bounds) && v > bounds[i] {
			i++
		}
		return i
	}
	values := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}
	for _, bounds := range [][]uint64{timeBounds[:], sizeBounds[:]} {
		for _, b := range bounds {
			values = append(values, int64(b)-1, int64(b), int64(b)+1)
		}
	}
	for shift := range 63 {
		values = append(values, 1<<shift-1, 1<<shift, 1<<shift+1)
	}
	for _, v := range values {
		var d delta
		d.time(timeHeader, v)
		d.size(sizeResponse, v)
		u := uint64(max(v, 0))
		if d.times[linear(u, timeBounds[:])] != [...]uint32{timeHeader: 1} || d.sums[timeHeader] != u {
			t.Errorf("time %d went to %v, want bucket %d", v, d.times, linear(u, timeBounds[:]))
		}
		if d.sizes[linear(u, sizeBounds[:])] != [...]uint32{sizeResponse - sizeRequest: 1} || d.sums[sizeResponse] != u {
			t.Errorf("size %d went to %v, want bucket %d", v, d.sizes, linear(u, sizeBounds[:]))
		}
	}
}

func TestNames(t *testing.T) {
	for m := range methodNames {
		if methodNames[m] != message.Method(m).String() {
			t.Errorf("method %d is %s here and %s in the codec", m, methodNames[m], message.Method(m))
		}
	}
	if Floods != int(h2.FloodCount) {
		t.Errorf("%d kinds of floods here and %d in the codec", Floods, h2.FloodCount)
	}
	for f := range floodNames {
		if floodNames[f] != h2.Flood(f).String() {
			t.Errorf("flood %d is %s here and %s in the codec", f, floodNames[f], h2.Flood(f))
		}
	}
	for i, list := range [][]string{reasonNames[:], closeNames[:]} {
		sorted := slices.Sorted(slices.Values(list))
		if slices.Contains(list, "") || len(slices.Compact(sorted)) != len(list) {
			t.Errorf("list %d has a name twice, or none: %v", i, list)
		}
	}
	if size := unsafe.Sizeof(delta{}); size > 512 {
		t.Errorf("a delta takes %d bytes, want at most eight cache lines", size)
	}
}

func TestVitals(t *testing.T) {
	text := gather(t, VitalsCollector(func() Vitals {
		return Vitals{
			Version: "v1", Ready: true, Generation: 4, Publishes: 3, ReloadOK: true, LastBuild: 2 * time.Millisecond, ReloadTime: time.UnixMilli(1500),
			Propagation: []uint64{2, 1, 1}, PropagationBounds: []float64{.001, .01}, PropagationSum: 1.5,
		}
	}))
	wantLines(t, linesWith(text, "sluice_build_last_seconds"), "sluice_build_last_seconds 0.002")
	wantLines(t, linesWith(text, "nginx_ingress_controller"), "nginx_ingress_controller_config_last_reload_successful 1", "nginx_ingress_controller_success 3")
	wantLines(t, linesWith(text, "timestamp"), "sluice_config_last_reload_timestamp_seconds 1.5")
	wantLines(t, linesWith(text, "build_info"), `sluice_build_info{version="v1"} 1`)
	wantLines(t, linesWith(text, "sluice_propagation"),
		`sluice_propagation_seconds_bucket{le="0.001"} 2`,
		`sluice_propagation_seconds_bucket{le="0.01"} 3`,
		`sluice_propagation_seconds_bucket{le="+Inf"} 4`,
		`sluice_propagation_seconds_sum 1.5`,
		`sluice_propagation_seconds_count 4`)
}

func TestReferenceIsCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile("METRICS.md", []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	onDisk, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := strings.Split(string(onDisk), "\n"), strings.Split(Reference(), "\n")
	for i := range min(len(old), len(fresh)) {
		if old[i] != fresh[i] {
			t.Fatalf("METRICS.md is stale at line %d; run go test ./server/internal/stats -update\n- %s\n+ %s", i+1, old[i], fresh[i])
		}
	}
	if len(old) != len(fresh) {
		t.Fatalf("METRICS.md has %d lines, want %d; run go test ./server/internal/stats -update", len(old), len(fresh))
	}
	seen := map[string]bool{}
	for _, m := range metrics {
		if seen[m.Name] {
			t.Errorf("%s is defined twice", m.Name)
		}
		seen[m.Name] = true
		if !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: its help is not a sentence", m.Name)
		}
	}
}
