package filter

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// fork is a gateway whose one Route has a Split: Backends called main and canary, with so many Endpoints each, which answer
// with their names.
type fork struct {
	*gateway
	server    *server.Server
	store     *routing.Store
	endpoints [2][]routing.Endpoint
}

func newFork(t *testing.T, split *routing.Split, p *policy.Policy, counts ...int) *fork {
	t.Helper()
	s, store := newServer(t)
	f := &fork{gateway: &gateway{t: t, base: "http://127.0.0.1:" + strconv.Itoa(s.Ports()[0])}, server: s, store: store}
	for i, n := range counts {
		for range n {
			name := fmt.Sprint([]string{"main", "canary"}[i], len(f.endpoints[i]))
			endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
			t.Cleanup(endpoint.Close)
			f.endpoints[i] = append(f.endpoints[i], routing.Endpoint{Addr: netip.MustParseAddrPort(endpoint.Listener.Addr().String())})
		}
	}
	f.update(split, p)
	return f
}

// update publishes a Snapshot with the Endpoints.
func (f *fork) update(split *routing.Split, p *policy.Policy) {
	b := routing.Builder{Attach: f.server.Attach}
	source := &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: p, Split: split}
	host, _ := b.BuildHost("", []routing.Route{{Path: "/", Type: routing.Prefix, Source: source}})
	var table *routing.Table
	snapshot := &routing.Snapshot{Table: table.With(map[string]*routing.Host{"": host}, nil)}
	for i, list := range f.endpoints {
		snapshot.Backends = append(snapshot.Backends, &routing.Backend{
			Key: routing.BackendKey{Namespace: "default", Service: []string{"main", "canary"}[i], Port: "80"}, Index: int32(i), Endpoints: sorted(list),
		})
	}
	f.store.Publish(snapshot)
	f.server.OnPublish(snapshot)
}

// sorted is list in the order that Backends have Endpoints in.
func sorted(list []routing.Endpoint) []routing.Endpoint {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b routing.Endpoint) int { return a.Addr.Compare(b.Addr) })
	return list
}

func weights(main, canary uint32) *routing.Split {
	return &routing.Split{Canary: true, Shares: []routing.Share{{Backend: 0, Weight: main}, {Backend: 1, Weight: canary}}}
}

// TestCanary: which requests go to the canary, over both versions of HTTP.
func TestCanary(t *testing.T) {
	const never, always = 0, 100
	header := policy.Canary{Header: "X-Canary"}
	value := policy.Canary{Header: "X-Canary", Value: "gold/1"}
	pattern := policy.Canary{Header: "X-Canary", Pattern: "^(de|fr)"}
	hostile := policy.Canary{Header: "X-Canary", Pattern: "(?:a?){190}b"}
	long := strings.Repeat("a", 8000)
	for _, row := range []struct {
		name   string
		canary policy.Canary
		weight uint32
		fields []string
		want   string
	}{
		{"always", header, never, []string{"X-Canary", "always"}, "canary0"},
		{"in any case of the name", header, never, []string{"x-cAnary", "always"}, "canary0"},
		{"never", header, always, []string{"X-Canary", "never"}, "main0"},
		{"another value", header, never, []string{"X-Canary", "Always"}, "main0"},
		{"another value, by weight", header, always, []string{"X-Canary", "Always"}, "canary0"},
		{"an empty value", header, always, []string{"X-Canary", ""}, "canary0"},
		{"an underscore for a hyphen", policy.Canary{Header: "X_Canary"}, never, []string{"X-Canary", "always"}, "canary0"},
		{"value", value, never, []string{"X-Canary", "gold/1"}, "canary0"},
		{"longer than the value", value, never, []string{"X-Canary", "gold/1x"}, "main0"},
		{"always beside a value", value, never, []string{"X-Canary", "always"}, "main0"},
		{"never beside a value", value, always, []string{"X-Canary", "never"}, "canary0"},
		{"pattern", pattern, never, []string{"X-Canary", "dex"}, "canary0"},
		{"pattern, no match", pattern, never, []string{"X-Canary", "xde"}, "main0"},
		{"pattern heeds case", pattern, never, []string{"X-Canary", "DE"}, "main0"},
		{"pattern, no match, by weight", pattern, always, []string{"X-Canary", "never"}, "canary0"},
		{"too much work", hostile, always, []string{"X-Canary", long}, "main0"},
		{"unread", policy.Canary{Header: "X-Canary", Pattern: "[a-", Unread: true}, always, []string{"X-Canary", "a"}, "main0"},
		{"unread, without the field", policy.Canary{Header: "X-Canary", Pattern: "[a-", Unread: true}, always, nil, "canary0"},
		{"cookie", policy.Canary{Cookie: "c"}, never, []string{"Cookie", "a=b; c=always"}, "canary0"},
		{"cookie, never", policy.Canary{Cookie: "c"}, always, []string{"Cookie", "c=never"}, "main0"},
		{"cookie, another value", policy.Canary{Cookie: "c"}, always, []string{"Cookie", "c=1"}, "canary0"},
		{"cookie of two fields", policy.Canary{Cookie: "c"}, never, []string{"Cookie", "a=b", "Cookie", "c=always"}, "canary0"},
		{"cookie of another name", policy.Canary{Cookie: "c"}, never, []string{"Cookie", "cc=always; ac=always"}, "main0"},
		{"hostile cookies", policy.Canary{Cookie: "c"}, never, []string{"Cookie", ";;=;c;c =always; =always;c"}, "main0"},
		{"the field before the cookie", policy.Canary{Header: "X-Canary", Cookie: "c"}, never, []string{"X-Canary", "never", "Cookie", "c=always"}, "main0"},
		{"the cookie behind the field", policy.Canary{Header: "X-Canary", Cookie: "c"}, never, []string{"X-Canary", "x", "Cookie", "c=always"}, "canary0"},
	} {
		f := newFork(t, weights(100-row.weight, row.weight), with(&row.canary), 1, 1)
		for _, two := range []bool{false, true} {
			for _, method := range []string{"GET", "HEAD"} {
				resp, body := f.over(two, method, "a.test", "/", row.fields...)
				if resp.StatusCode != 200 || method == "GET" && body != row.want {
					t.Errorf("%s, HTTP/2 %v: %s got %d %q, want %s", row.name, two, method, resp.StatusCode, body, row.want)
				}
			}
		}
	}
}

// TestCanaryWithoutEndpoints: the main Backend decides whether there is an answer, and a canary that has none is left out.
func TestCanaryWithoutEndpoints(t *testing.T) {
	for _, row := range []struct {
		main, canary int
		want         string
	}{{1, 0, "main0"}, {0, 1, ""}, {0, 0, ""}} {
		f := newFork(t, weights(0, 100), with(&policy.Canary{Header: "X-Canary"}), row.main, row.canary)
		for _, value := range []string{"x", "always"} {
			resp, body := f.ask("GET", "/", "X-Canary", value)
			if row.want == "" && resp.StatusCode != 503 || row.want != "" && body != row.want {
				t.Errorf("%+v, %s: got %d %q", row, value, resp.StatusCode, body)
			}
		}
	}
	// A Split that is no canary has no main Backend: what falls to a Share without Endpoints is not served.
	f := newFork(t, &routing.Split{Shares: []routing.Share{{Backend: 0, Weight: 1}, {Backend: 1}}}, nil, 0, 1)
	if resp, _ := f.ask("GET", "/"); resp.StatusCode != 503 {
		t.Errorf("a Share without Endpoints: got %d", resp.StatusCode)
	}
	f = newFork(t, &routing.Split{Shares: []routing.Share{{Backend: 0}, {Backend: 1}}}, nil, 1, 1)
	if resp, _ := f.ask("GET", "/"); resp.StatusCode != 503 {
		t.Errorf("no weights: got %d", resp.StatusCode)
	}
}

// TestWeights: the weights decide by chance, on a Route without a Policy too.
func TestWeights(t *testing.T) {
	f := newFork(t, &routing.Split{Shares: []routing.Share{{Backend: 0, Weight: 3}, {Backend: 1, Weight: 1}}}, nil, 1, 1)
	const n = 2000
	canary := 0
	for range n {
		if _, body := f.ask("GET", "/"); body == "canary0" {
			canary++
		}
	}
	// Six standard deviations: once in 500 million runs by chance.
	if deviation := math.Abs(float64(canary) - n/4); deviation > 6*math.Sqrt(n*0.25*0.75) {
		t.Errorf("%d of %d requests went to the Share with a quarter of the weight", canary, n)
	}
}

// TestCanaryBehindGuards: the guards of the Route decide before a Backend is chosen.
func TestCanaryBehindGuards(t *testing.T) {
	f := newFork(t, weights(100, 0), with(
		&policy.Canary{Header: "X-Canary"}, &policy.BasicAuth{Realm: "r", Users: staff()}, &policy.Rewrite{Target: "/x"},
	), 1, 1)
	if resp, body := f.ask("GET", "/", "X-Canary", "always"); resp.StatusCode != 401 || body == "canary0" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	if resp, body := f.ask("GET", "/", "X-Canary", "always", "Authorization", basic("plain", "pw")); resp.StatusCode != 200 || body != "canary0" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}
