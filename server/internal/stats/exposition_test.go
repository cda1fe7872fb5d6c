package stats

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluice-gateway/sluice/routing"
)

// routesOf attaches n Routes of an object of a namespace.
func routesOf(r *Registry, namespace string, n int) (series []*Series) {
	for i := range n {
		route := routeOf("web", "h"+strconv.Itoa(i), "/", 0)
		route.Source = &routing.Source{Ingress: routing.ObjectName{Namespace: namespace, Name: "web"}}
		series = append(series, r.Attach(route))
	}
	return series
}

// use records a request to each, one after the other.
func use(l *fakeLoop, s *Shard, series ...*Series) {
	l.do(func() {
		for _, one := range series {
			s.Record(one, &Event{Method: 1, Status: 200, Duration: 2e6, BytesIn: 100})
		}
	})
}

func TestSeriesStayBounded(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, Limits{Series: 5, PerNamespace: 3, Histograms: []string{"request_duration_seconds"}})
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	greedy, shop, bank := routesOf(r, "greedy", 10), routesOf(r, "shop", 1), routesOf(r, "bank", 3)

	requests := func(parts ...string) []string {
		return scrape(t, r, append(parts, "nginx_ingress_controller_requests{")...)
	}
	use(l, s, greedy...)
	if got := requests(`ingress="web"`, `namespace="greedy"`); len(got) != 3 {
		t.Errorf("%d label sets of the namespace, want 3", len(got))
	}
	other := `nginx_ingress_controller_requests{canary="",host="",ingress="_other",method="GET",namespace="greedy",path="",service="",status="200"} `
	wantLines(t, requests("_other"), other+"7")
	use(l, s, greedy...)
	wantLines(t, requests("_other"), other+"14")

	// Another namespace has its room all the same; where there is none in all, the rest is counted together.
	use(l, s, shop...)
	use(l, s, bank...)
	if got := requests(`ingress="web"`); len(got) != 5 {
		t.Errorf("%d label sets, want 5:\n%s", len(got), strings.Join(got, "\n"))
	}
	wantLines(t, requests(`namespace="_other"`),
		`nginx_ingress_controller_requests{canary="",host="",ingress="_other",method="GET",namespace="_other",path="",service="",status="200"} 2`)
	wantLines(t, scrape(t, r, "sluice_route_series"), "sluice_route_series 14", "sluice_route_series_folded 9")
	wantLines(t, scrape(t, r, "sluice_requests_total"), `sluice_requests_total{method="GET",status="200"} 24`)

	// Histograms have buckets where they are asked for, and are sums elsewhere.
	if got := scrape(t, r, "nginx_ingress_controller_request_duration_seconds_bucket", `namespace="greedy"`, "_other"); len(got) != timeBuckets {
		t.Errorf("%d buckets, want %d", len(got), timeBuckets)
	}
	wantLines(t, scrape(t, r, "nginx_ingress_controller_request_size", `namespace="shop"`),
		`nginx_ingress_controller_request_size_sum{canary="",host="h0",ingress="web",namespace="shop",path="/",service="cart"} 100`,
		`nginx_ingress_controller_request_size_count{canary="",host="h0",ingress="web",namespace="shop",path="/",service="cart"} 1`)

	// Routes that go make room for those that are used from then on.
	runtime.KeepAlive(greedy)
	greedy = nil
	for range 2 { // one scrape lets go, the next forgets
		scrape(t, r)
		runtime.GC()
	}
	scrape(t, r)
	later := routesOf(r, "later", 2)
	use(l, s, later...)
	if got := requests(`namespace="later"`, `ingress="web"`); len(got) != 2 {
		t.Errorf("no room after Routes went: %q", got)
	}
	runtime.KeepAlive(shop)
	runtime.KeepAlive(bank)
	runtime.KeepAlive(later)
}

// TestManyRoutesFold: requests to very many Routes between two scrapes do not make a delta for each.
func TestManyRoutesFold(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, Limits{Series: 101, PerNamespace: 100})
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	series := routesOf(r, "greedy", 10*manyDirty)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	running.Go(func() { r.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for part := range slices.Chunk(series, manyDirty+eventBatch) {
		use(l, s, part...)
		// The harvest that was asked for has the deltas before the next part comes.
		for held := 1; held > 0; {
			l.do(func() { held = len(s.dirty) / manyDirty })
			runtime.Gosched()
		}
	}
	l.do(func() {
		if held := len(s.dirty) + len(s.spare); held > 3*manyDirty {
			t.Errorf("%d deltas are held for %d Routes", held, len(series))
		}
	})
	wantLines(t, scrape(t, r, "nginx_ingress_controller_requests{", "_other"),
		fmt.Sprintf(`nginx_ingress_controller_requests{canary="",host="",ingress="_other",method="GET",namespace="greedy",path="",service="",status="200"} %d`, len(series)-100))
	runtime.KeepAlive(series)
}

// TestExpositionParses holds the text to Prometheus' own parser, with values that need care.
func TestExpositionParses(t *testing.T) {
	for _, histograms := range [][]string{nil, {"request_duration_seconds"}, RouteHistograms()} {
		r := NewRegistry(snapshotOf("cart", "cart"), nil, Limits{Series: 1000, PerNamespace: 1000, Histograms: histograms})
		l := startLoop()
		s := r.NewShard(l.post, nil)
		hosts := []string{"h", "a\"b", `back\slash`, "line\nfeed", "\xff\xfe", "ü", "{x=\"y\"} 1"}
		var series []*Series
		for _, host := range hosts {
			series = append(series, r.Attach(routeOf("web", host, "/", 0)), r.Attach(routeOf("web", host, "/", 1)))
		}
		use(l, s, series...)
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(scrapeAll(t, r)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range families["nginx_ingress_controller_requests"].Metric {
			if m.GetCounter().GetValue() != 2 {
				t.Errorf("%v, want the two Backends' sum", m)
			}
			for _, l := range m.Label {
				if l.GetName() == "host" {
					got = append(got, l.GetValue())
				}
			}
		}
		want := slices.Clone(hosts)
		want[4] = "\uFFFD\uFFFD"
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("hosts %q, want %q", got, want)
		}
		for which, h := range routeHistograms {
			family := families[h.metric.Name]
			if len(family.GetMetric()) != len(hosts) {
				t.Errorf("%s: %d samples, want %d", h.metric.Name, len(family.GetMetric()), len(hosts))
				continue
			}
			sample := family.Metric[0]
			if slices.Contains(histograms, h.Name) {
				if n := len(sample.GetHistogram().GetBucket()); n != len(h.bounds)+1 {
					t.Errorf("%s: %d buckets", h.Name, n)
				}
			} else if sample.GetSummary() == nil {
				t.Errorf("%s is no summary", h.Name)
			} else if want := map[bool]uint64{true: 2, false: 0}[which == timeDuration || which >= sizeRequest]; sample.GetSummary().GetSampleCount() != want {
				t.Errorf("%s: count %d, want %d", h.Name, sample.GetSummary().GetSampleCount(), want)
			}
		}
		l.stop()
		runtime.KeepAlive(series)
	}
}

// chunks is a reader that may go away, and sees how much it gets at a time.
type chunks struct {
	largest, total, left int
}

var errGone = errors.New("gone")

func (c *chunks) Write(p []byte) (int, error) {
	if c.left--; c.left < 0 {
		return 0, errGone
	}
	c.largest, c.total = max(c.largest, len(p)), c.total+len(p)
	return len(p), nil
}

// TestExpositionStreams: a scrape of any size holds a chunk, and ends with its reader.
func TestExpositionStreams(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	series := routesOf(r, "greedy", 1500)
	use(l, s, series...)
	scrape(t, r) // harvests
	all := chunks{left: 1 << 30}
	if err := r.WriteRoutes(&all); err != nil {
		t.Fatal(err)
	}
	if all.largest > expositionChunk+16<<10 || all.total < 100*expositionChunk/4 {
		t.Errorf("%d bytes in chunks of up to %d", all.total, all.largest)
	}
	if err := r.WriteRoutes(&chunks{left: 2}); err != errGone {
		t.Errorf("a reader that went away: %v", err)
	}
	runtime.KeepAlive(series)
}
