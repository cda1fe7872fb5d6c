package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// TestBreaker: a Backend that fails is asked no more, clients are told to come again, and it is found when it is well.
func TestBreaker(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		for _, down := range servertest.Downs {
			var ill atomic.Bool
			ill.Store(true)
			list := newPods(t, p, 2, func(_ int, w http.ResponseWriter, _ *http.Request, _ string) {
				if ill.Load() {
					w.WriteHeader(500)
				}
				fmt.Fprint(w, "fine")
			})
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveBackend(nil, &routing.Backend{Protocol: p, Resilience: &routing.Resilience{
				Eject:   routing.Ejection{Failures: -1, ServerErrors: true},
				Breaker: routing.Breaker{Percent: 50, Requests: 10, Base: 1e8, Max: 2e8},
			}}, list.addrs...)
			url := down.Scheme + "://" + map[string]string{"http": g.addr, "https": g.secureAddr}[down.Scheme] + "/"
			c := down.Down(t)
			for range 10 {
				if status, text := fetch(t, c, "GET", url, nil); status != 500 || text != "fine" {
					t.Fatalf("%d %q", status, text)
				}
			}
			resp, err := c.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			// A machine that was slow has let the breaker try meanwhile.
			if resp.StatusCode == 503 && resp.Header.Get("Retry-After") != "1" || resp.StatusCode != 503 && list.total() == 10 {
				t.Errorf("%d, Retry-After %q, seen %d times", resp.StatusCode, resp.Header.Get("Retry-After"), list.total())
			}
			ill.Store(false)
			servertest.Until(t, "an answer", func() bool {
				status, _ := fetch(t, c, "GET", url, nil)
				return status == 200
			})
			for range 20 {
				if status, _ := fetch(t, c, "GET", url, nil); status != 200 {
					t.Errorf("behind an answer: %d", status)
				}
			}
			if g.counted(func(c *stats.Counters) uint64 { return c.Failures[stats.CircuitOpen] }) == 0 {
				t.Error("no request was counted as refused")
			}
			g.wantAtRest()
		}
	}
}

// TestEjectionByAnswers: an Endpoint that answers 503 is left out where the Backend says so, and not otherwise.
func TestEjectionByAnswers(t *testing.T) {
	t.Parallel()
	for _, counts := range []bool{false, true} {
		list := newPods(t, routing.HTTP, 3, func(pod int, w http.ResponseWriter, _ *http.Request, _ string) {
			if pod == 1 {
				w.WriteHeader(503)
			}
		})
		g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
		g.serveBackend(&asked.Policy{Retry: asked.Retry{On: asked.Retry503, Tries: 3}}, &routing.Backend{Resilience: &routing.Resilience{
			Eject: routing.Ejection{Failures: 2, ServerErrors: counts, Base: 1e11, Max: 1e11},
		}}, list.addrs...)
		for range 12 {
			if status, _ := fetch(t, servertest.HTTP1Client(t), "GET", "http://"+g.addr+"/", nil); status != 200 {
				t.Errorf("%d", status)
			}
		}
		if n := list.seen[1].Load(); counts != (n == 2) {
			t.Errorf("answers count %v: the Pod was asked %d times", counts, n)
		}
	}
}

// TestMaxRequests: a Backend has no more requests in flight than it takes, over all loops; others wait in turn, and are
// refused where too many do or none ends in time.
func TestMaxRequests(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		for _, down := range servertest.Downs {
			var inside, most atomic.Int64
			release := make(chan struct{})
			list := newPods(t, p, 2, func(_ int, w http.ResponseWriter, r *http.Request, body string) {
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if r.URL.Path == "/wait" {
					<-release
				}
				inside.Add(-1)
				fmt.Fprint(w, body)
			})
			g := newGateway(t, func(c *config.Config) { c.Threads = 2 }, Options{})
			g.serveBackend(nil, &routing.Backend{Protocol: p, Resilience: &routing.Resilience{
				Load: routing.Load{Requests: 3, Waiting: 20, Wait: int64(servertest.Timeout)},
			}}, list.addrs...)
			url := down.Scheme + "://" + map[string]string{"http": g.addr, "https": g.secureAddr}[down.Scheme]
			answers := make(chan int, 64)
			for i := range 23 {
				c := down.Down(t) // a connection each, so that both loops have some
				go func() {
					resp, err := c.Post(url+"/wait", "text/plain", pieces(4000))
					if err != nil {
						answers <- 0
						return
					}
					defer resp.Body.Close()
					answers <- resp.StatusCode
				}()
				servertest.Until(t, "the request", func() bool {
					used, waiting := g.gates.Counts()
					return used+waiting == i+1
				})
			}
			if used, waiting := g.gates.Counts(); used != 3 || waiting != 20 {
				t.Errorf("%d in flight, %d waiting", used, waiting)
			}
			resp, err := down.Down(t).Get(url + "/more")
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
				t.Errorf("one too many: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			close(release)
			for range 23 {
				if status := <-answers; status != 200 {
					t.Errorf("waited, and got %d", status)
				}
			}
			if most.Load() > 3 {
				t.Errorf("%d at a time", most.Load())
			}
			servertest.Until(t, "the end of all", func() bool {
				used, waiting := g.gates.Counts()
				return used == 0 && waiting == 0
			})
			g.wantAtRest()
		}
	}
}

// TestMaxRequestsGivesUp: requests whose time is over are refused, clients that leave make room, and so does an Endpoint that
// fails.
func TestMaxRequestsGivesUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		if c.Head() != "" {
			<-release
		}
	})
	t.Cleanup(func() { close(release) })
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	load := routing.Load{Requests: 1, Waiting: 2, Wait: int64(servertest.Short)}
	g.serveBackend(nil, &routing.Backend{Resilience: &routing.Resilience{Load: load}}, addr)
	counts := func(wantUsed, wantWaiting int) {
		t.Helper()
		servertest.Until(t, "the counts", func() bool {
			used, waiting := g.gates.Counts()
			return used == wantUsed && waiting == wantWaiting
		})
	}
	first := g.wire()
	first.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	counts(1, 0)
	if got := g.wire().Get("/"); got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" {
		t.Errorf("%d", got.StatusCode)
	}
	counts(1, 0)
	load.Wait = int64(servertest.Timeout)
	first.SetLinger(0)
	_ = first.Close()
	counts(0, 0)
	g.serveBackend(nil, &routing.Backend{Resilience: &routing.Resilience{Load: load}}, addr)
	first = g.wire()
	first.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	counts(1, 0)
	second, third := g.wire(), g.wire()
	second.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	counts(1, 1)
	third.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	counts(1, 2)
	second.SetLinger(0)
	_ = second.Close()
	counts(1, 1)
	first.SetLinger(0)
	_ = first.Close()
	counts(1, 0) // the third's
	third.SetLinger(0)
	_ = third.Close()
	counts(0, 0)
	g.wantAtRest()
}

// TestHealthChecks: an Endpoint that fails its checks is asked no more by any loop, whatever it answers clients, also behind
// new Snapshots, until it is well.
func TestHealthChecks(t *testing.T) {
	t.Parallel()
	var ill atomic.Bool
	ill.Store(true)
	var requests [2]atomic.Int64
	list := newPods(t, routing.HTTP, 2, func(pod int, w http.ResponseWriter, r *http.Request, _ string) {
		if r.URL.Path == "/health" {
			if pod == 1 && ill.Load() {
				w.WriteHeader(500)
			}
			return
		}
		requests[pod].Add(1)
	})
	g := newGateway(t, nil, Options{})
	publish := func() {
		g.serveBackend(nil, &routing.Backend{Resilience: &routing.Resilience{Check: routing.Check{
			Kind: routing.CheckHTTP, Path: "/health", Least: 200, Most: 399, Interval: 2e7, Timeout: 1e10, Rise: 1, Fall: 1,
		}}}, list.addrs...)
	}
	publish()
	fetchAll := func() (one, two int64) {
		before := [2]int64{requests[0].Load(), requests[1].Load()}
		for range 40 {
			if got := g.wire().Get("/"); got.StatusCode != 200 {
				t.Fatalf("%d", got.StatusCode)
			}
		}
		return requests[0].Load() - before[0], requests[1].Load() - before[1]
	}
	servertest.Until(t, "the verdict", func() bool {
		_, two := fetchAll()
		return two == 0
	})
	for range 5 {
		publish()
		if _, two := fetchAll(); two != 0 {
			t.Errorf("%d requests to an Endpoint that is unwell", two)
		}
	}
	ill.Store(false)
	servertest.Until(t, "the recovery", func() bool {
		_, two := fetchAll()
		return two > 0
	})
}

// TestAutoHTTP: requests go on over TLS where they came over TLS.
func TestAutoHTTP(t *testing.T) {
	t.Parallel()
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	backend := func(index int32, p routing.Protocol, secure int32, addr string) *routing.Backend {
		return &routing.Backend{
			Key: routing.BackendKey{Namespace: "default", Service: "app", Port: "80", Variant: p.String()}, Index: index, Protocol: p, Secure: secure,
			Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort(addr)}},
		}
	}
	plain, secure := backend(0, routing.HTTP, 2, servertest.StartBackend(t, false, says("plain"))), backend(1, routing.HTTPS, 0, servertest.StartBackend(t, true, says("secure")))
	secure.TLS = &routing.BackendTLS{Name: "app"}
	g := newGateway(t, nil, Options{})
	builder := routing.Builder{Attach: g.Attach}
	host, _ := builder.BuildHost("", []routing.Route{{Path: "/", Type: routing.Prefix, Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}}}})
	var table *routing.Table
	g.store.Publish(&routing.Snapshot{Table: table.With(map[string]*routing.Host{"": host}, nil), Backends: []*routing.Backend{plain, secure}})
	g.OnPublish(g.store.Load())
	for _, down := range servertest.Downs {
		want := map[string]string{"http": "plain", "https": "secure"}[down.Scheme]
		url := down.Scheme + "://" + map[string]string{"http": g.addr, "https": g.secureAddr}[down.Scheme] + "/"
		if status, text := fetch(t, down.Down(t), "GET", url, nil); status != 200 || text != want {
			t.Errorf("%s: %d %q", down.Name, status, text)
		}
	}
}
