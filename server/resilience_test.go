package server

import (
	"fmt"
	"net/http"
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
