package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestParkTwice: the second call for one request does nothing, and a park that is left over answers for no other.
func TestParkTwice(t *testing.T) {
	first, second := make(chan bool), make(chan bool)
	waits := func(for_ chan bool, then func(*Exchange) Verdict) func(context.Context) func(*Exchange) Verdict {
		return func(context.Context) func(*Exchange) Verdict {
			<-for_
			return then
		}
	}
	onward := func(*Exchange) Verdict { return Continue }
	_, c := filtered(t, nil,
		onRequest(func(x *Exchange) Verdict {
			x.Park(waits(first, onward))
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				t.Error("the second ran")
				return onward
			})
		}),
		onRequest(func(x *Exchange) Verdict {
			return x.Park(waits(second, func(x *Exchange) Verdict { return x.Respond(401, nil, nil) }))
		}))
	for range 2 {
		c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		first <- true
		second <- true
		if got := c.ReadAnswer("GET"); got.StatusCode != 401 {
			t.Errorf("got %d %q", got.StatusCode, got.Text)
		}
	}
}

// TestParkedLeft: the context of a block ends when its client has left, and others get its place.
func TestParkedLeft(t *testing.T) {
	t.Parallel()
	blocked := make(chan bool)
	g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
		fast := string(x.Path()) == "/fast"
		return x.Park(func(ctx context.Context) func(*Exchange) Verdict {
			if !fast {
				blocked <- true
				<-ctx.Done()
			}
			return func(*Exchange) Verdict { return Continue }
		})
	}))
	for range maxParked + 10 {
		one := g.wire()
		one.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-blocked
		one.SetLinger(0)
		one.Close()
	}
	if got := c.Get("/fast"); got.StatusCode != 200 {
		t.Errorf("got %d %q", got.StatusCode, got.Text)
	}
}

// TestFilterTwoMiddlewares: the second sees the field that the first has set, and the Backend gets it once.
func TestFilterTwoMiddlewares(t *testing.T) {
	var saw atomic.Value
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Middleware: []app.HandlerFunc{
		func(_ context.Context, c *app.RequestContext) { c.Request.Header.Set("X-User", "first") },
		func(_ context.Context, c *app.RequestContext) {
			saw.Store(string(c.GetHeader("X-User")))
			c.Request.Header.Set("X-User", "second")
		},
	}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header["X-User"]) }))
	c := g.wire()
	if got := c.Get("/"); got.Text != `["second"]` {
		t.Errorf("the Backend got %s; the second saw %q", got.Text, saw.Load())
	}
}

// TestFilterMiddlewareDeletes: fields that a middleware deletes do not go upstream.
func TestFilterMiddlewareDeletes(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Middleware: []app.HandlerFunc{
		func(_ context.Context, c *app.RequestContext) {
			c.Request.Header.Del("X-User")
			c.Request.Header.Del("x-user")
		},
	}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header["X-User"]) }))
	c := g.wire()
	c.Send("GET / HTTP/1.1\r\nHost: a\r\nX-User: admin\r\n\r\n")
	if got := c.ReadAnswer("GET"); got.Text != `[]` {
		t.Errorf("the Backend got %s", got.Text)
	}
}

// TestFilterMiddlewareSplits: a value with a line break in it is sent to neither side.
func TestFilterMiddlewareSplits(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Middleware: []app.HandlerFunc{
		func(_ context.Context, c *app.RequestContext) {
			c.Request.Header.Set("X-User", c.Query("u"))
			c.Header("X-Out", c.Query("u"))
			if c.Query("deny") != "" {
				c.AbortWithStatus(403)
			}
		},
	}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["X-User"], r.Header["X-Admin"])
	}))
	for _, deny := range []string{"", "&deny=1"} {
		c := g.wire()
		got := c.Get("/?u=a%0d%0aX-Admin:+1" + deny)
		if strings.HasSuffix(got.Text, `["1"]`) || got.Header.Get("X-Admin") != "" || got.StatusCode == 0 {
			t.Errorf("the Backend got %s, the client %v", got.Text, got.Header)
		}
	}
}

// TestFilterParkAndRequestTimeout: the time for the whole request runs while it is parked.
func TestFilterParkAndRequestTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan bool)
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{onRequest(func(x *Exchange) Verdict {
		return x.Park(func(context.Context) func(*Exchange) Verdict {
			<-release
			return func(*Exchange) Verdict { return Continue }
		})
	})}})
	g.serve(&asked.Policy{Limits: asked.Limits{Request: 200e6}}, servertest.Backend(t, func(w http.ResponseWriter, _ *http.Request) {}))
	defer close(release)
	if got := g.wire().Get("/"); got.StatusCode != 504 {
		t.Errorf("got %d, want 504", got.StatusCode)
	}
}

// TestFilterH2ClientGoneWhileParked: the next request on the same memory is clean, in every pairing.
func TestFilterH2ClientGoneWhileParked(t *testing.T) {
	t.Parallel()
	blocked := make(chan chan bool, 10)
	park := onRequest(func(x *Exchange) Verdict {
		s := x.Slot(0)
		if s.N != 0 || s.Ref != nil || len(s.Bytes) != 0 {
			x.AddResponseField("X-Dirty", "1")
		}
		s.N, s.Ref, s.Bytes = 1, x, append(s.Bytes[:0], "secret"...)
		x.AddRequestField("X-Of", string(x.Path()))
		x.AddResponseField("X-Of", string(x.Path()))
		x.SetPath([]byte("/set" + string(x.Path())))
		return x.Park(func(context.Context) func(*Exchange) Verdict {
			answer := make(chan bool)
			blocked <- answer
			<-answer
			return func(x *Exchange) Verdict { return Continue }
		})
	})
	through(t, Options{Filters: []Filter{park}}, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q %d", r.RequestURI, r.Header["X-Of"], len(b))
	}, func(t *testing.T, g *gateway, c *http.Client, base string) {
		for i := range 3 {
			ctx, cancel := context.WithCancel(context.Background())
			req, _ := http.NewRequestWithContext(ctx, "POST", base+fmt.Sprint("/gone", i), bytes.NewReader(make([]byte, 100<<10)))
			ended := make(chan error)
			go func() { _, err := c.Do(req); ended <- err }()
			stale := <-blocked
			cancel()
			<-ended
			next := make(chan string)
			go func() {
				resp, body := ask(t, c, "POST", base+fmt.Sprint("/next", i), bytes.NewReader(make([]byte, 150<<10)))
				next <- fmt.Sprint(body, resp.Header["X-Of"], resp.Header["X-Dirty"])
			}()
			answer := <-blocked
			stale <- true
			g.settle()
			answer <- true
			if got, want := <-next, fmt.Sprintf("/set/next%d [\"/next%d\"] %d[/next%d] []", i, i, 150<<10, i); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// TestFilterResponseOfGRPCWeb: a type and a status that a Filter sets are the only ones.
func TestFilterResponseOfGRPCWeb(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("Content-Type", string(r.Field("Content-Type")))
		r.Set("Grpc-Status", "7")
		return Continue
	})}})
	addr := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "5")
	}))
	g.serveProtocol(routing.GRPC, addr)
	c := g.wire()
	c.Send("POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nContent-Length: 5\r\n\r\n\x00\x00\x00\x00\x00")
	got := c.ReadAnswer("POST")
	if ct := got.Header["Content-Type"]; len(ct) != 1 || !strings.HasPrefix(ct[0], "application/grpc-web") {
		t.Errorf("Content-Type %q", ct)
	}
	if strings.Contains(strings.ToLower(got.Text), "grpc-status: 5") {
		t.Errorf("the replaced status is sent: %q %v", got.Text, got.Header)
	}
}

// TestFilterRefuseOnGRPCWeb: a refusal in the place of a response is in the form that the client reads.
func TestFilterRefuseOnGRPCWeb(t *testing.T) {
	for _, status := range []int{401, 403} {
		g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{onResponse(func(x *Exchange, r *Response) Verdict {
			if r.Own() {
				return Continue
			}
			return x.Refuse(status, "no")
		})}})
		addr := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Write(make([]byte, 100))
		}))
		g.serveProtocol(routing.GRPC, addr)
		c := g.wire()
		for _, ct := range []string{"application/grpc-web", "application/grpc-web-text"} {
			body := "\x00\x00\x00\x00\x00"
			if strings.HasSuffix(ct, "text") {
				body = "AAAAAAA="
			}
			c.Send("POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", ct, len(body), body)
			got := c.ReadAnswer("POST")
			if got.StatusCode != 200 || got.Header.Get("Content-Type") != ct+"+proto" && got.Header.Get("Content-Type") != ct {
				t.Errorf("got %d %v %q", got.StatusCode, got.Header, got.Text)
			}
		}
	}
}

// TestFilterPipelined: requests that are answered, refused, parked and forwarded keep their order on one connection.
func TestFilterPipelined(t *testing.T) {
	_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
		s := x.Slot(0)
		if s.N != 0 {
			return x.Respond(500, nil, []byte("dirty"))
		}
		s.N++
		x.AddResponseField("X-P", string(x.Path()))
		switch string(x.Path()) {
		case "/r":
			return x.Respond(403, nil, nil)
		case "/n":
			x.SetBackend(-1)
		case "/k":
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(x *Exchange) Verdict { return Continue }
			})
		}
		return Continue
	}))
	var text strings.Builder
	paths := strings.Split(strings.Repeat("/r /n /k /a /n /k /r ", 20), " ")
	paths = paths[:len(paths)-1]
	for _, p := range paths {
		fmt.Fprintf(&text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", p)
	}
	c.Send("%s", text.String())
	want := map[string]int{"/r": 403, "/n": 503, "/k": 200, "/a": 200}
	for i, p := range paths {
		if got := c.ReadAnswer("GET"); got.StatusCode != want[p] || fmt.Sprint(got.Header["X-P"]) != "["+p+"]" {
			t.Fatalf("%d: %s got %d %v", i, p, got.StatusCode, got.Header)
		}
	}
}

// TestFilterMiddlewareReads: a middleware finds fields in any spelling, by either protocol.
func TestFilterMiddlewareReads(t *testing.T) {
	o := Options{Middleware: []app.HandlerFunc{func(_ context.Context, c *app.RequestContext) {
		c.Header("X-Saw", fmt.Sprintf("%s %s %s %s", c.GetHeader("X-In"), c.GetHeader("Authorization"), c.Cookie("a"), c.UserAgent()))
		if len(c.GetHeader("X-Debug")) > 0 {
			c.AbortWithStatus(403)
		}
	}}}
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, o)
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header["X-Debug"]) }))
	c := g.wire()
	c.Send("GET / HTTP/1.1\r\nHost: a\r\nx-in: in\r\nauthorization: me\r\ncookie: a=b\r\nuser-agent: t\r\n\r\n")
	if got := c.ReadAnswer("GET"); got.Header.Get("X-Saw") != "in me b t" {
		t.Errorf("HTTP/1.1: saw %q", got.Header.Get("X-Saw"))
	}
	c.Send("GET / HTTP/1.1\r\nHost: a\r\nx-debug: 1\r\n\r\n")
	if got := c.ReadAnswer("GET"); got.StatusCode != 403 {
		t.Errorf("HTTP/1.1, what it forbids: got %d, and the Backend saw %s", got.StatusCode, got.Text)
	}
	req, _ := http.NewRequest("GET", "http://"+g.addr+"/", nil)
	for k, v := range map[string]string{"X-In": "in", "Authorization": "me", "Cookie": "a=b", "User-Agent": "t"} {
		req.Header.Set(k, v)
	}
	resp, err := servertest.HTTP2Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get("X-Saw") != "in me b t" {
		t.Errorf("HTTP/2: saw %q", resp.Header.Get("X-Saw"))
	}
	req.Header = http.Header{"X-Debug": {"1"}}
	if resp, err = servertest.HTTP2Client(t).Do(req); err != nil || resp.StatusCode != 403 {
		t.Errorf("HTTP/2, what it forbids: %v, got %d", err, resp.StatusCode)
	}
}

// TestFilterExtendedConnectRespond200: a Filter's 200 does not open a WebSocket (RFC 8441 section 5).
func TestFilterExtendedConnectRespond200(t *testing.T) {
	g, _ := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
		return x.Respond(200, []byte("Content-Type: text/html\r\n"), []byte("down for maintenance"))
	}))
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(servertest.Timeout))
	conn.Write([]byte(http2.ClientPreface))
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, h := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/chat"}, {"sec-websocket-version", "13"}} {
		e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b.Bytes(), EndHeaders: true})
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			if s := h.PseudoValue("status"); s[0] == '2' {
				t.Errorf("got %s: %v", s, h.Fields)
			}
			return
		}
	}
}

// TestFilterParkHalfClosed: a client that has ended what it sends gets its answer.
func TestFilterParkHalfClosed(t *testing.T) {
	release := make(chan bool)
	g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
		return x.Park(func(context.Context) func(*Exchange) Verdict {
			<-release
			return func(*Exchange) Verdict { return Continue }
		})
	}))
	c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	c.CloseWrite()
	g.settle()
	close(release)
	if got := c.ReadAnswer("GET"); got.StatusCode != 200 {
		t.Errorf("got %d %v", got.StatusCode, got.Cut)
	}
}

// TestFilterOldClients: HTTP/1.0, with and without keep-alive.
func TestFilterOldClients(t *testing.T) {
	g, _ := filtered(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.(http.Flusher).Flush()
		fmt.Fprintf(w, "%s %d", r.RequestURI, len(b))
	}, &plug{name: "p", request: func(x *Exchange) Verdict {
		switch string(x.Path()) {
		case "/r":
			return x.Respond(403, nil, []byte("no"))
		case "/k":
			x.SetPath([]byte("/parked"))
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { return Continue }
			})
		}
		return Continue
	}, response: func(x *Exchange, r *Response) Verdict {
		r.Set("X-N", "1")
		return Continue
	}})
	for _, row := range []struct{ path, want string }{{"/r", "no"}, {"/k?q", "/parked?q 3"}, {"/n", "/n 3"}} {
		c := g.wire()
		c.Send("POST %s HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", row.path)
		if got := c.ReadAnswer("POST"); got.Text != row.want || got.Header.Get("X-N") == "" && row.path != "/r" {
			t.Errorf("%s: %d %q %v", row.path, got.StatusCode, got.Text, got.Header)
		}
	}
}

// TestFilterWebToOtherBackend: gRPC-Web that a Filter sends to another Backend is translated as that one speaks.
func TestFilterWebToOtherBackend(t *testing.T) {
	grpc := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		w.Write(b)
		w.Header().Set("Grpc-Status", "0")
	}))
	plain := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.Write(b)
	}))
	for _, from := range []int{0, 1} {
		for _, park := range []bool{false, true} {
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{onRequest(func(x *Exchange) Verdict {
				if !park {
					x.SetBackend(int32(1 - from))
					return Continue
				}
				return x.Park(func(context.Context) func(*Exchange) Verdict {
					return func(x *Exchange) Verdict { x.SetBackend(int32(1 - from)); return Continue }
				})
			})}})
			builder := routing.Builder{Attach: g.Attach}
			host, _ := builder.BuildHost("", []routing.Route{{Path: "/", Type: routing.Prefix, Source: &routing.Source{}, Backend: int32(from)}})
			var table *routing.Table
			s := &routing.Snapshot{Table: table.With(map[string]*routing.Host{"": host}, nil), Backends: []*routing.Backend{
				{Key: routing.BackendKey{Service: "a"}, Protocol: routing.GRPC, Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort(grpc)}}},
				{Key: routing.BackendKey{Service: "b"}, Protocol: routing.HTTP, Index: 1, Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort(plain)}}},
			}}
			g.store.Publish(s)
			g.OnPublish(s)
			c := g.wire()
			for range 3 {
				c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 8\r\n\r\nAAAA")
				g.settle()
				c.Send("AAA=")
				got := c.ReadAnswer("POST")
				want := "AAAAAAA="
				if from == 1 {
					want = "AAAAAAA=gAAAABBncnBjLXN0YXR1czogMA0K"
				}
				if got.StatusCode != 200 || !strings.Contains(got.Text, want) {
					t.Errorf("from %d, park %v: %d %q %v", from, park, got.StatusCode, got.Text, got.Header)
				}
			}
			servertest.Until(t, "the end of every Exchange", func() bool { return g.openExchanges() == 0 })
		}
	}
}

// TestFilterParkPanicIsLogged: with the reason.
func TestFilterParkPanicIsLogged(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	c := config.Default()
	c.Threads = 1
	store := &routing.Store{}
	s, err := New(c, store, slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)), Options{Filters: []Filter{onRequest(func(x *Exchange) Verdict {
		return x.Park(func(context.Context) func(*Exchange) Verdict { panic("boom of mine") })
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen([]string{"127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run() }()
	g := &gateway{t: t, store: store, Server: s, addr: fmt.Sprint("127.0.0.1:", s.Ports()[0])}
	t.Cleanup(func() {
		s.Drain(t.Context())
		<-ended
	})
	g.settle()
	g.serve(nil, "127.0.0.1:1")
	if got := g.wire().Get("/"); got.StatusCode != 500 {
		t.Errorf("got %d", got.StatusCode)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(log.String(), "boom of mine") {
		t.Errorf("the log has %q", log.String())
	}
}
