package server

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// plug is a Filter made of functions; nil ones continue.
type plug struct {
	name     string
	request  func(x *Exchange) Verdict
	response func(x *Exchange, r *Response) Verdict
	done     func(x *Exchange, e *Event)
}

func (p *plug) Name() string { return p.name }

func (p *plug) Request(x *Exchange) Verdict {
	if p.request == nil {
		return Continue
	}
	return p.request(x)
}

func (p *plug) Response(x *Exchange, r *Response) Verdict {
	if p.response == nil {
		return Continue
	}
	return p.response(x, r)
}

func (p *plug) Done(x *Exchange, e *Event) {
	if p.done != nil {
		p.done(x, e)
	}
}

// through runs f for every pairing of protocols, with a gateway that has the Filters and a net/http Backend.
func through(t *testing.T, o Options, app http.HandlerFunc, f func(t *testing.T, g *gateway, c *http.Client, base string)) {
	clear, secure := servertest.StartBackend(t, false, app), servertest.StartBackend(t, true, app)
	for _, p := range servertest.Pairings {
		t.Run(p.Name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, o)
			backend := clear
			if p.Protocol == routing.HTTPS || p.Protocol == routing.GRPCS {
				backend = secure
			}
			g.serveProtocol(p.Protocol, backend)
			base := "http://" + g.addr
			if p.Scheme == "https" {
				base = "https://" + g.secureAddr
			}
			f(t, g, p.Down(t), base)
			// A client that left sees its own end before the loop does.
			servertest.Until(t, "the end of every Exchange", func() bool { return g.openExchanges() == 0 })
		})
	}
}

// openExchanges counts those that began and have not ended.
func (g *gateway) openExchanges() (n int64) {
	for _, w := range g.workers {
		counted := make(chan int64, 1)
		w.Post(func() { counted <- int64(w.Shard.ExchangesStarted - w.Shard.ExchangesEnded) })
		n += <-counted
	}
	return n
}

func ask(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, string(text)
}

// TestResponsePhase: Filters see every final head, a Backend's and the gateway's, and can read, extend, cut and replace it.
func TestResponsePhase(t *testing.T) {
	t.Parallel()
	var seen atomic.Value
	big := strings.Repeat("b", 300<<10)
	filters := []Filter{
		&plug{name: "outer", response: func(_ *Exchange, r *Response) Verdict {
			seen.Store(fmt.Sprintf("%d %v %s", r.Status(), r.Own(), r.Reason()))
			r.Set("X-Outer", "saw "+strconv.Itoa(r.Status())+" "+string(r.Field("x-inner")))
			r.Drop("x-SECRET")
			return Continue
		}},
		&plug{name: "inner", request: func(x *Exchange) Verdict {
			x.AddResponseField("X-Early", "1")
			switch string(x.Path()) {
			case "/deny":
				return x.Respond(403, []byte("X-Secret: mine\r\nX-Kept: 1\r\n"), []byte("no"))
			case "/gone":
				x.SetBackend(7)
			}
			return Continue
		}, response: func(x *Exchange, r *Response) Verdict {
			r.Add("X-Inner", "a")
			r.Set("x-inner", "b")
			if string(r.Field("X-Replace")) == "yes" {
				return x.Respond(418, []byte("X-Secret: 2\r\nContent-Type: text/x\r\n"), []byte("instead"))
			}
			return Continue
		}},
	}
	app := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", "1")
		w.Header().Add("X-Outer", "theirs")
		w.Header().Add("X-Outer", "theirs too")
		switch r.URL.Path {
		case "/replace", "/replacebig":
			w.Header().Set("X-Replace", "yes")
		case "/404":
			w.WriteHeader(404)
		case "/reset":
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.URL.Path, "big") {
			_, _ = io.WriteString(w, big)
		} else {
			_, _ = io.WriteString(w, "fine")
		}
	}
	through(t, Options{Filters: filters}, app, func(t *testing.T, _ *gateway, c *http.Client, base string) {
		for range 2 { // on used connections and used memory
			for _, row := range []struct {
				path, body string
				status     int
				seen       string
				inner      string
			}{
				{"/", "fine", 200, "200 false ", "b"},
				{"/404", "fine", 404, "404 false ", "b"},
				{"/big", big, 200, "200 false ", "b"},
				{"/replace", "instead", 418, "418 true filtered", ""},
				{"/replacebig", "instead", 418, "418 true filtered", ""},
				{"/deny", "no", 403, "403 true filtered", ""}, // a Filter does not see its own answer
				{"/gone", "503 service unavailable: the service of this route does not exist or was refused\n", 503, "503 true no_endpoint", "b"},
				{"/reset", "502 bad gateway: the endpoint closed the connection\n", 502, "502 true upstream_reset", "b"},
			} {
				for _, method := range []string{"GET", "HEAD"} {
					resp, body := ask(t, c, method, base+row.path, nil)
					want := row.body
					if method == "HEAD" {
						want = ""
					}
					h := resp.Header
					if resp.StatusCode != row.status || body != want {
						t.Errorf("%s %s: %d and %d bytes %.40q, want %d and %.40q", method, row.path, resp.StatusCode, len(body), body, row.status, want)
					}
					if got := seen.Load(); got != row.seen {
						t.Errorf("%s %s: the outer one saw %q, want %q", method, row.path, got, row.seen)
					}
					if got := h.Values("X-Outer"); len(got) != 1 || got[0] != strings.TrimSpace("saw "+strconv.Itoa(row.status)+" "+row.inner) && got[0] != "saw "+strconv.Itoa(row.status)+" "+row.inner {
						t.Errorf("%s %s: X-Outer %q", method, row.path, got)
					}
					if h.Values("X-Secret") != nil || fmt.Sprint(h.Values("X-Early")) != "[1]" {
						t.Errorf("%s %s: X-Secret %q, X-Early %q", method, row.path, h.Values("X-Secret"), h.Values("X-Early"))
					}
					if row.path == "/deny" && h.Get("X-Kept") != "1" || row.status == 418 && h.Get("Content-Type") != "text/x" {
						t.Errorf("%s %s: %v", method, row.path, h)
					}
				}
			}
		}
	})
}

// TestResponsePhaseOfUpload: a response is replaced while its request is still on the way, and the next request is well.
func TestResponsePhaseOfUpload(t *testing.T) {
	t.Parallel()
	replace := &plug{name: "replace", response: func(x *Exchange, r *Response) Verdict {
		if r.Status() == 401 {
			return x.Respond(302, []byte("Location: /login\r\n"), nil)
		}
		return Continue
	}}
	app := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			if r.ProtoMajor == 1 {
				w.Header().Set("Connection", "close") // else net/http reads all of the body first
			}
			w.WriteHeader(401)
			return
		}
		_, _ = io.WriteString(w, "fine")
	}
	through(t, Options{Filters: []Filter{replace}}, app, func(t *testing.T, _ *gateway, c *http.Client, base string) {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for range 3 {
			pr, pw := io.Pipe()
			go func() {
				_, _ = io.WriteString(pw, "part")
				// The end never comes before the answer.
			}()
			resp, _ := ask(t, c, "POST", base+"/", pr)
			pw.Close()
			if resp.StatusCode != 302 || resp.Header.Get("Location") != "/login" {
				t.Errorf("got %d %v", resp.StatusCode, resp.Header)
			}
			if resp, body := ask(t, c, "GET", base+"/", nil); resp.StatusCode != 200 || body != "fine" {
				t.Errorf("then got %d %q", resp.StatusCode, body)
			}
		}
	})
}

// TestResponsePhaseOfATunnel: the 101 is a final head too.
func TestResponsePhaseOfATunnel(t *testing.T) {
	f := &plug{name: "tunnel", response: func(x *Exchange, r *Response) Verdict {
		if r.Status() != 101 {
			return Continue
		}
		if strings.HasSuffix(string(x.Slot(0).Bytes), "refuse") {
			return x.Respond(403, nil, []byte("no tunnels"))
		}
		r.Add("X-Tunnel", string(r.Field("sec-websocket-accept")))
		return Continue
	}, request: func(x *Exchange) Verdict {
		s := x.Slot(0)
		s.Bytes = append(s.Bytes[:0], x.Path()...)
		return Continue
	}}
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{f}})
	g.serve(nil, servertest.UpgradedBackend(t, servertest.Echo))
	c := g.wire()
	c.Send(servertest.UpgradeRequest)
	if head := c.Head(); !strings.Contains(head, "\r\nX-Tunnel: czNw\r\n") || !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Errorf("got %q", head)
	}
	c.Send("ping")
	c.Exactly("ping")
	c.CloseWrite()
	c.WantClosed()

	c = g.wire()
	for range 2 {
		c.Send("%s", strings.Replace(servertest.UpgradeRequest, "/chat", "/refuse", 1))
		if got := c.ReadAnswer("GET"); got.StatusCode != 403 || got.Text != "no tunnels" {
			t.Errorf("got %d %q", got.StatusCode, got.Text)
		}
	}
}

// TestSetTarget: the Backend gets the target that the Filter sets, by either protocol, with Host and fields unchanged.
func TestSetTarget(t *testing.T) {
	t.Parallel()
	f := &plug{name: "rewrite", request: func(x *Exchange) Verdict {
		if len(x.Query()) > 0 {
			x.SetTarget([]byte("/never"))
			x.SetTarget(append([]byte("/new/"), x.Query()...))
		}
		return Continue
	}}
	app := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.RequestURI, r.Header.Get("X-A"))
	}
	through(t, Options{Filters: []Filter{f}}, app, func(t *testing.T, g *gateway, c *http.Client, base string) {
		for range 2 {
			if _, body := ask(t, c, "GET", base+"/old?to", nil); body != "/new/to " {
				t.Errorf("got %q", body)
			}
			if _, body := ask(t, c, "GET", base+"/old", nil); body != "/old " {
				t.Errorf("got %q", body)
			}
		}
		raw := g.wire()
		raw.Send("GET http://a/x?abs HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\nGET * HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := raw.ReadAnswer("GET"); got.Text != "/new/abs b" {
			t.Errorf("absolute-form: %q", got.Text)
		}
	})
}

// TestSetBackendAndPrefer: a Filter decides where a request goes, even to another protocol.
func TestSetBackendAndPrefer(t *testing.T) {
	named := func(name string) string {
		return servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name, r.ProtoMajor) }))
	}
	one, two, other := named("one"), named("two"), named("other")
	var wish atomic.Value
	wish.Store(netip.AddrPort{})
	f := &plug{name: "choose", request: func(x *Exchange) Verdict {
		switch string(x.Path()) {
		case "/other":
			x.SetBackend(1)
		case "/none":
			x.SetBackend(-1)
		case "/wish":
			x.Prefer(wish.Load().(netip.AddrPort))
		}
		return Continue
	}}
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{f}})
	endpoint := func(addr string) routing.Endpoint { return routing.Endpoint{Addr: netip.MustParseAddrPort(addr)} }
	builder := routing.Builder{Attach: g.Attach}
	host, _ := builder.BuildHost("", []routing.Route{{Path: "/", Type: routing.Prefix, Source: &routing.Source{}}})
	var table *routing.Table
	s := &routing.Snapshot{Table: table.With(map[string]*routing.Host{"": host}, nil), Backends: []*routing.Backend{
		{Key: routing.BackendKey{Service: "a"}, Endpoints: inOrder(endpoint(one), endpoint(two))},
		{Key: routing.BackendKey{Service: "b"}, Protocol: routing.H2C, Endpoints: []routing.Endpoint{endpoint(other)}},
	}}
	g.store.Publish(s)
	g.OnPublish(s)
	c := g.wire()
	for range 3 {
		if got := c.Get("/other"); got.Text != "other2" {
			t.Errorf("got %d %q", got.StatusCode, got.Text)
		}
		if got := c.Get("/none"); got.StatusCode != 503 {
			t.Errorf("got %d", got.StatusCode)
		}
		for _, want := range []struct{ addr, body string }{{one, "one1"}, {two, "two1"}} {
			wish.Store(netip.MustParseAddrPort(want.addr))
			for range 3 {
				if got := c.Get("/wish"); got.Text != want.body {
					t.Errorf("wished for %s, got %q", want.body, got.Text)
				}
			}
		}
		wish.Store(netip.MustParseAddrPort("127.0.0.1:1")) // which is gone
		if a, b := c.Get("/wish").Text, c.Get("/wish").Text; a == b {
			t.Errorf("both went to %q", a)
		}
	}
}

// counter keeps a number per loop and a word per request.
type counter struct {
	slot int
	made *atomic.Int64
}

func (*counter) Name() string { return "counter" }

func (c *counter) NewState() any { c.made.Add(1); return new(int) }

func (c *counter) Request(x *Exchange) Verdict {
	n := x.State(c.slot).(*int)
	*n++
	s := x.Slot(c.slot)
	if s.N != 0 || s.Ref != nil || len(s.Bytes) != 0 {
		x.AddResponseField("X-Dirty", "slot")
	}
	s.N, s.Ref = int64(*n), c
	s.Bytes = append(s.Bytes[:0], x.Path()...)
	return Continue
}

func (c *counter) Response(x *Exchange, r *Response) Verdict {
	s := x.Slot(c.slot)
	r.Add("X-Count", fmt.Sprint(s.N, " ", string(s.Bytes), " ", s.Ref == any(c)))
	return Continue
}

// TestSlotsAndState: a slot is a request's own and clean, a state is made once for each loop.
func TestSlotsAndState(t *testing.T) {
	var made atomic.Int64
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{
		&counter{0, &made}, &plug{name: "none"}, &counter{2, &made},
	}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, _ *http.Request) {}))
	c := g.wire()
	for i := range 5 {
		path := fmt.Sprint("/", strings.Repeat("x", 5-i))
		want := fmt.Sprint(i+1, " ", path, " true")
		got := c.Get(path)
		if v := got.Header.Values("X-Count"); len(v) != 2 || v[0] != want || v[1] != want || got.Header.Get("X-Dirty") != "" {
			t.Errorf("got %q, want %q twice; %s", v, want, got.Header.Get("X-Dirty"))
		}
	}
	if made.Load() != 2 {
		t.Errorf("%d states were made", made.Load())
	}
}

// TestClient: the client's address, where proxies name it.
func TestClient(t *testing.T) {
	f := &plug{name: "client", request: func(x *Exchange) Verdict {
		return x.Respond(200, nil, []byte(fmt.Sprint(x.Client(), " ", x.Trusted(), " ", x.Secure())))
	}}
	for _, row := range []struct {
		trusted string
		fields  string
		want    string
	}{
		{"10.0.0.0/8", "X-Forwarded-For: 1.2.3.4\r\n", "127.0.0.1 false false"},
		{"127.0.0.0/8", "", "127.0.0.1 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 1.2.3.4\t,127.0.0.9\r\n", "1.2.3.4 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 127.0.0.3, 127.0.0.9\r\n", "127.0.0.3 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 6.6.6.6, unknown, 127.0.0.9\r\n", "127.0.0.9 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 6.6.6.6,,\r\n", "127.0.0.1 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: [2001:db8::1]:443, ::ffff:127.0.0.8\r\n", "2001:db8::1 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: fe80::1%eth0\r\n", "fe80::1 true false"},
		{"127.0.0.0/8", "X-Forwarded-For: " + strings.Repeat("1", 4000) + "\r\n", "127.0.0.1 true false"},
	} {
		g := newGateway(t, func(c *config.Config) { c.Threads = 1; c.Forwarded.TrustedCIDRs = []string{row.trusted} }, Options{Filters: []Filter{f}})
		g.serve(nil, "127.0.0.1:1")
		c := g.wire()
		c.Send("GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", row.fields)
		if got := c.ReadAnswer("GET"); got.Text != row.want {
			t.Errorf("%s %.60q: got %q, want %q", row.trusted, row.fields, got.Text, row.want)
		}
	}
}
