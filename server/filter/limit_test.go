package filter

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// slowly is a limit by which no request leaks out during a test: one a minute, of a zone that no other test has.
func slowly(t *testing.T, multiplier int) *policy.RequestLimit {
	return &policy.RequestLimit{Zone: t.Name(), PerMinute: 1, Multiplier: multiplier, Status: 503}
}

// passes asks until the first refusal, and returns how many requests passed.
func passes(t *testing.T, ask func(method, path string, fields ...string) (*http.Response, string), most int, fields ...string) int {
	t.Helper()
	for n := range most {
		switch resp, _ := ask("GET", "/", fields...); resp.StatusCode {
		case 200:
		case 503, 429:
			return n
		default:
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	return most
}

// TestRequestLimit: who counts together, and that a refused request reaches no Backend.
func TestRequestLimit(t *testing.T) {
	l := slowly(t, 3)
	l.Exempt = policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:9::/48")})
	var asked atomic.Int64
	g := newGateway(t, with(l), func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	overHTTP2 := g.overHTTP2()
	client := func(addr string) []string { return []string{"X-Forwarded-For", addr} }
	if n := passes(t, g.ask, 9, client("1.2.3.4")...); n != 4 || asked.Load() != 4 {
		t.Fatalf("%d of a client pass, and the Backend was asked %d times; want 4", n, asked.Load())
	}
	for _, path := range []string{"/", "/x", "/.well-known/acme-challenge/x"} {
		for _, method := range []string{"GET", "HEAD", "POST", "BREW"} {
			if resp, body := g.ask(method, path, client("1.2.3.4")...); resp.StatusCode != 503 || method == "HEAD" && body != "" || method == "GET" && !strings.Contains(body, "faster") {
				t.Errorf("%s %s: %d %q", method, path, resp.StatusCode, body)
			}
		}
	}
	if resp, _ := overHTTP2("GET", "/", client("1.2.3.4")...); resp.StatusCode != 503 {
		t.Errorf("over HTTP/2: %d", resp.StatusCode)
	}
	if resp, _ := g.ask("POST", "/", "X-Forwarded-For", "1.2.3.4", "Content-Type", "application/grpc"); resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") != "14" {
		t.Errorf("of gRPC: %d %v", resp.StatusCode, resp.Header)
	}
	for _, row := range []struct {
		addr string
		want int
	}{
		{"1.2.3.5", 4},
		{"6.6.6.6, 1.2.3.5", 0}, // the same: what a client writes before it is not believed
		{"192.0.2.9", 9},
		{"2001:db8:9:1::1", 9},
		{"2001:db8::1", 4},
		{"2001:db8::2", 0}, // of one /64
		{"2001:db8:0:1::1", 4},
	} {
		ask := g.ask
		if strings.Contains(row.addr, ":") {
			ask = overHTTP2
		}
		if n := passes(t, ask, 9, client(row.addr)...); n != row.want {
			t.Errorf("%s: %d pass, want %d", row.addr, n, row.want)
		}
	}
}

// TestRequestLimitStays: an object that changes finds its counts; what it asks for is new.
func TestRequestLimitStays(t *testing.T) {
	g := newGateway(t, with(slowly(t, 2)), func(http.ResponseWriter, *http.Request) {})
	if n := passes(t, g.ask, 9); n != 3 {
		t.Fatal(n)
	}
	more := slowly(t, 4)
	more.Status = 429
	g.publish(with(more))
	if n := passes(t, g.ask, 9); n != 2 {
		t.Errorf("%d pass once the burst is larger by 2", n)
	}
	if resp, _ := g.ask("GET", "/"); resp.StatusCode != 429 {
		t.Error(resp.StatusCode)
	}
	g.publish(with())
	if n := passes(t, g.ask, 9); n != 9 {
		t.Errorf("%d pass without a limit", n)
	}
	other := slowly(t, 1)
	other.Zone += "/other"
	g.publish(with(other))
	if n := passes(t, g.ask, 9); n != 2 {
		t.Errorf("%d pass for another object", n)
	}
}

// TestRequestLimitFields: what clients are told, of the limit that is nearest.
func TestRequestLimitFields(t *testing.T) {
	l := slowly(t, 3)
	l.Fields, l.PerSecond, l.Status = true, 1_000_000, 429
	g := newGateway(t, with(l), func(http.ResponseWriter, *http.Request) {})
	for i, want := range []string{
		`200 "minute";q=1;w=60 "minute";r=3;t=1 []`,
		`200 "minute";q=1;w=60 "minute";r=2;t=63 []`,
		`200 "minute";q=1;w=60 "minute";r=1;t=125 []`,
		`200 "minute";q=1;w=60 "minute";r=0;t=188 []`,
		`429 "minute";q=1;w=60 "minute";r=0;t=250 [63]`,
	} {
		resp, _ := g.ask("GET", "/")
		h := resp.Header
		got := fmt.Sprint(resp.StatusCode, " ", h.Get("RateLimit-Policy"), " ", h.Get("RateLimit"), " ", h["Retry-After"])
		// Of the machine's time a second is 16 thousandths of a request: the seconds may be fewer.
		if about := len(`200 "minute";q=1;w=60 "minute";r=3`); got[:about] != want[:about] || (h["Retry-After"] != nil) != (resp.StatusCode == 429) {
			t.Errorf("request %d: got %s, want about %s", i, got, want)
		}
	}
}

// TestRequestLimitTogether: preflights and redirects are not counted, and guesses at who may ask are.
func TestRequestLimitTogether(t *testing.T) {
	g := newGateway(t, with(
		slowly(t, 1),
		&policy.CORS{Origins: []string{"https://a.example"}, Methods: "GET", MaxAge: 60},
		&policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})},
	), func(http.ResponseWriter, *http.Request) {})
	for range 5 {
		if resp, _ := g.ask("OPTIONS", "/", "Origin", "https://a.example", "X-Forwarded-For", "6.6.6.6"); resp.StatusCode != 204 {
			t.Fatal(resp.StatusCode)
		}
	}
	for i, want := range []int{403, 403, 503, 503} {
		resp, _ := g.ask("GET", "/", "Origin", "https://a.example", "X-Forwarded-For", "6.6.6.6")
		if resp.StatusCode != want || resp.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("request %d: %d %v, want %d with fields of CORS", i, resp.StatusCode, resp.Header, want)
		}
	}
}

// atOnce has requests under way until it lets them end.
type atOnce struct {
	arrived, release chan struct{}
	asked            int
	all              sync.WaitGroup
}

func newAtOnce() *atOnce {
	return &atOnce{arrived: make(chan struct{}), release: make(chan struct{})}
}

func (a *atOnce) serve(_ http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/now") {
		a.arrived <- struct{}{}
		select {
		case <-a.release:
		case <-r.Context().Done(): // the client has left
		}
	}
}

// ask sends so many requests, and returns when all have arrived.
func (a *atOnce) ask(g *gateway, n int, fields ...string) {
	g.t.Helper()
	for range n {
		ended := make(chan int, 1)
		a.all.Go(func() {
			resp, _ := g.ask("GET", "/slow", fields...)
			ended <- resp.StatusCode
		})
		select {
		case <-a.arrived:
			a.asked++
		case status := <-ended:
			g.t.Errorf("a request is answered %d", status)
		}
	}
}

// end lets all end.
func (a *atOnce) end() {
	for ; a.asked > 0; a.asked-- {
		a.release <- struct{}{}
	}
	a.all.Wait()
}

// TestConnectionLimit: requests under way count until they end, also where the object changes meanwhile.
func TestConnectionLimit(t *testing.T) {
	a := newAtOnce()
	l := &policy.ConnectionLimit{Zone: t.Name(), Most: 2, Status: 503, Exempt: []netip.Prefix{netip.MustParsePrefix("9.0.0.0/8")}}
	g := newGateway(t, with(l), a.serve)
	overHTTP2 := g.overHTTP2()
	status := func(addr string) int {
		resp, _ := overHTTP2("GET", "/now", "X-Forwarded-For", addr)
		return resp.StatusCode
	}
	for round := range 2 {
		a.ask(g, 2, "X-Forwarded-For", "1.2.3.4")
		for range 3 {
			if got := status("1.2.3.4"); got != 503 {
				t.Errorf("round %d: %d while two are under way", round, got)
			}
		}
		if got := status("1.2.3.5"); got != 200 {
			t.Errorf("another client: %d", got)
		}
		a.ask(g, 5, "X-Forwarded-For", "9.1.1.1")
		g.publish(with(&policy.ConnectionLimit{Zone: t.Name(), Most: 3, Status: 503, Exempt: l.Exempt}))
		a.ask(g, 1, "X-Forwarded-For", "1.2.3.4")
		if got := status("1.2.3.4"); got != 503 {
			t.Errorf("round %d: %d while three are under way", round, got)
		}
		a.end()
		g.publish(with(l))
		for range 5 {
			if got := status("1.2.3.4"); got != 200 {
				t.Errorf("round %d: %d once they have ended", round, got)
			}
		}
	}
}

// TestConnectionLimitOfLeavers: a client that breaks its connection off has no request under way on it.
func TestConnectionLimitOfLeavers(t *testing.T) {
	a := newAtOnce()
	g := newGateway(t, with(&policy.ConnectionLimit{Zone: t.Name(), Most: 1, Status: 503}), a.serve)
	for range 5 {
		c := g.dial("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
		<-a.arrived
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
		giveUp := time.Now().Add(time.Minute)
		for status := 0; status != 200; {
			resp, _ := g.ask("GET", "/now")
			if status = resp.StatusCode; time.Now().After(giveUp) {
				t.Fatal("the request of a client that left counts on")
			}
		}
	}
}

// TestConcurrencyLimit: each Route counts by itself, all clients together.
func TestConcurrencyLimit(t *testing.T) {
	a := newAtOnce()
	g := newGateway(t, with(&policy.ConcurrencyLimit{Zone: t.Name(), Most: 2, Status: 429}), a.serve)
	a.ask(g, 1, "X-Forwarded-For", "1.2.3.4")
	a.ask(g, 1, "X-Forwarded-For", "1.2.3.5")
	if resp, _ := g.ask("GET", "/now", "X-Forwarded-For", "1.2.3.6"); resp.StatusCode != 429 {
		t.Error(resp.StatusCode)
	}
	if resp, _ := g.ask("GET", "/.well-known/acme-challenge/now"); resp.StatusCode != 200 {
		t.Error("another Route is refused")
	}
	a.end()
	if resp, _ := g.ask("GET", "/now"); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}

// TestThrottle: a response comes whole, and no faster than it may; one that is within what goes at once comes at once.
func TestThrottle(t *testing.T) {
	const rate, size = 64 << 10, 96 << 10
	body := strings.Repeat("0123456789abcdef", size/16)
	app := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunks" {
			_ = http.NewResponseController(w).Flush()
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		_, _ = io.WriteString(w, body)
	}
	g := newGateway(t, with(&policy.Throttle{PerSecond: rate}), app)
	for name, ask := range map[string]func(string, string, ...string) (*http.Response, string){"HTTP/1.1": g.ask, "HTTP/2": g.overHTTP2()} {
		for _, path := range []string{"/", "/chunks"} {
			begun := time.Now()
			resp, got := ask("GET", path)
			// A second's worth in advance; the gateway's clock is read some time after ours.
			if took, least := time.Since(begun), (size-rate)*time.Second/rate-50*time.Millisecond; resp.StatusCode != 200 || got != body || took < least {
				t.Errorf("%s %s: %d, %d bytes, after %v, want at least %v", name, path, resp.StatusCode, len(got), took, least)
			}
		}
	}
	g.publish(with(&policy.Throttle{PerSecond: 1, After: size + 1<<10}))
	if resp, got := g.ask("GET", "/"); resp.StatusCode != 200 || got != body {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(got))
	}
}

// TestThrottleOfLeavers: a client that leaves while its response waits is gone.
func TestThrottleOfLeavers(t *testing.T) {
	g := newGateway(t, with(&policy.Throttle{PerSecond: 1}, &policy.ConnectionLimit{Zone: t.Name(), Most: 1, Status: 503}), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})
	for range 3 {
		c := g.dial("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
		giveUp := time.Now().Add(time.Minute)
		for status := 0; status != 200; {
			resp, _ := g.ask("HEAD", "/")
			if status = resp.StatusCode; time.Now().After(giveUp) {
				t.Fatal("the request of a client that left counts on")
			}
		}
	}
}
