package filter

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/filter/limit"
)

// counter is a limit.Counter whose clock stands.
type counter struct {
	mu     sync.Mutex
	excess map[string]int64

	asked atomic.Int64
	// blocks, where it is not nil, holds every question until it is closed or the question's time is over. fails fails them.
	blocks chan struct{}
	fails  atomic.Bool
}

func (c *counter) Count(ctx context.Context, key string, rates []limit.Rate) (excess []int64, within bool, err error) {
	c.asked.Add(1)
	if c.blocks != nil {
		select {
		case <-c.blocks:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	if c.fails.Load() {
		return nil, false, errors.New("there is nobody")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.excess[key]
	if known && e+1000 > rates[0].Burst {
		return []int64{e}, false, nil
	}
	if known {
		e += 1000
	}
	c.excess[key] = e
	return []int64{e}, true, nil
}

func newClusterGateway(t *testing.T, c *counter, timeout time.Duration, l *policy.ClusterLimit) *gateway {
	t.Helper()
	services := Services{Cluster: limit.NewShared(c, timeout, slog.New(slog.DiscardHandler))}
	return newGatewayAsking(t, services, with(l), func(http.ResponseWriter, *http.Request) {}, usualRoutes)
}

func slowlyTogether(t *testing.T, u policy.Unavailable) *policy.ClusterLimit {
	return &policy.ClusterLimit{Zone: t.Name(), PerMinute: 1, Multiplier: 3, Status: 429, Unavailable: u}
}

// long is a time that no question takes.
const long = time.Minute

// TestClusterLimit: two gateways with one count; one that knows that a client is over its limit does not ask.
func TestClusterLimit(t *testing.T) {
	c := &counter{excess: map[string]int64{}}
	a := newClusterGateway(t, c, long, slowlyTogether(t, policy.RefuseAll))
	overHTTP2 := a.overHTTP2()
	// The other one has a table of its own: that of this process stands for both, so its zone has another name there.
	other := slowlyTogether(t, policy.RefuseAll)
	b := newClusterGateway(t, c, long, other)
	client := []string{"X-Forwarded-For", "1.2.3.4"}
	total := 0
	for range 2 {
		total += passes(t, a.ask, 1, client...) + passes(t, b.ask, 1, client...)
	}
	if total != 4 || c.asked.Load() != 4 {
		t.Fatalf("%d pass after %d questions, want 4", total, c.asked.Load())
	}
	asked := c.asked.Load()
	for range 5 {
		for _, ask := range []func(string, string, ...string) (*http.Response, string){a.ask, overHTTP2} {
			if resp, body := ask("GET", "/", client...); resp.StatusCode != 429 || !strings.Contains(body, "faster") {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
		}
	}
	if n := c.asked.Load() - asked; n > 1 {
		t.Errorf("%d questions about a client that is over its limit", n)
	}
	if n := passes(t, overHTTP2, 9, "X-Forwarded-For", "1.2.3.5"); n != 4 {
		t.Errorf("%d of another client pass", n)
	}
}

// TestClusterLimitOfOthers: a client that others have let ask to its limit is refused by the first answer that says so.
func TestClusterLimitOfOthers(t *testing.T) {
	l := slowlyTogether(t, policy.PassAll)
	l.Fields = true
	c := &counter{excess: map[string]int64{t.Name() + " 1.2.3.4": 2_000}}
	g := newClusterGateway(t, c, long, l)
	client := []string{"X-Forwarded-For", "1.2.3.4"}
	if resp, _ := g.ask("GET", "/", client...); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("RateLimit"), `"minute";r=0;`) {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := g.ask("GET", "/", client...); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// TestClusterLimitUnavailable: the configured word decides, without anybody to ask and where questions fail, which end then.
func TestClusterLimitUnavailable(t *testing.T) {
	for u, want := range map[policy.Unavailable][]int{
		policy.CountAlone: {200, 200, 200, 200, 429, 429},
		policy.PassAll:    {200, 200, 200, 200, 200, 200},
		policy.RefuseAll:  {503, 503, 503, 503, 503, 503},
	} {
		t.Run(string(u), func(t *testing.T) {
			failing := &counter{}
			failing.fails.Store(true)
			nobody := slowlyTogether(t, u)
			nobody.Zone += "/nobody"
			exempt := policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("9.0.0.0/8")})
			nobody.Exempt = exempt
			failed := slowlyTogether(t, u)
			failed.Exempt = exempt
			for name, g := range map[string]*gateway{
				"nobody": newGateway(t, with(nobody), func(http.ResponseWriter, *http.Request) {}),
				"fails":  newClusterGateway(t, failing, long, failed),
			} {
				for i, want := range want {
					if resp, _ := g.ask("GET", "/", "X-Forwarded-For", "1.2.3.4"); resp.StatusCode != want {
						t.Errorf("%s, request %d: %d, want %d", name, i, resp.StatusCode, want)
					}
					if resp, _ := g.ask("GET", "/", "X-Forwarded-For", "9.2.3.4"); resp.StatusCode != 200 {
						t.Errorf("%s: an exempt client: %d", name, resp.StatusCode)
					}
				}
			}
			if n := failing.asked.Load(); n != 3 {
				t.Errorf("%d questions, want 3: the next one is due a minute later", n)
			}
		})
	}
}

// TestClusterLimitRecovers: once there are answers again they are asked for.
func TestClusterLimitRecovers(t *testing.T) {
	c := &counter{excess: map[string]int64{}}
	c.fails.Store(true)
	g := newClusterGateway(t, c, time.Millisecond, slowlyTogether(t, policy.PassAll))
	for range 5 {
		g.ask("GET", "/")
	}
	c.fails.Store(false)
	giveUp := time.Now().Add(long)
	for known := 0; known == 0; {
		if resp, _ := g.ask("GET", "/"); resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode)
		}
		c.mu.Lock()
		known = len(c.excess)
		c.mu.Unlock()
		if time.Now().After(giveUp) {
			t.Fatal("nobody is asked again")
		}
	}
	if n := passes(t, g.ask, 9); n != 3 {
		t.Errorf("%d more pass, want 3", n)
	}
}

// TestClusterLimitSilent: questions without an answer hold up the requests that wait for them, and no others; they are a
// bounded number, and beyond it nothing waits.
func TestClusterLimitSilent(t *testing.T) {
	c := &counter{excess: map[string]int64{}, blocks: make(chan struct{})}
	l := slowlyTogether(t, policy.RefuseAll)
	l.Exempt = policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("9.0.0.0/8")})
	g := newClusterGateway(t, c, long, l)
	const seats = 64
	statuses := make(chan int, seats)
	for range seats {
		go func() {
			resp, _ := g.ask("GET", "/", "X-Forwarded-For", "1.2.3.4")
			statuses <- resp.StatusCode
		}()
	}
	giveUp := time.Now().Add(long)
	for c.asked.Load() < seats && time.Now().Before(giveUp) {
		if resp, _ := g.ask("GET", "/", "X-Forwarded-For", "9.2.3.4"); resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode)
		}
	}
	for range 5 {
		if resp, _ := g.ask("GET", "/", "X-Forwarded-For", "1.2.3.5"); resp.StatusCode != 503 {
			t.Errorf("%d beside as many questions as there may be", resp.StatusCode)
		}
	}
	if n := c.asked.Load(); n != seats {
		t.Errorf("%d questions, want %d", n, seats)
	}
	close(c.blocks)
	count := map[int]int{}
	for range seats {
		count[<-statuses]++
	}
	if count[200] != 4 || count[429] != seats-4 {
		t.Errorf("%v once there are answers", count)
	}
	// Clients that leave free their seats.
	if resp, _ := g.ask("GET", "/", "X-Forwarded-For", "1.2.3.5"); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}
