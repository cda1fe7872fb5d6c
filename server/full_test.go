package server

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// crowded is a gateway of one loop with one connection to each of its Endpoints, over which goes one request at a time. A
// request for /N is one with a wish for Endpoint N, and answered with the Endpoint's address; one for /N/hold is held there.
type crowded struct {
	*gateway
	endpoints []string
	entered   chan string // the Endpoint that holds a request
	release   chan struct{}
	held      []*servertest.Wire
}

func newCrowded(t *testing.T, p routing.Protocol, n int) *crowded {
	g := &crowded{entered: make(chan string, 1), release: make(chan struct{})}
	for range n {
		s := &http.Server{Protocols: &http.Protocols{}, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1}}
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetUnencryptedHTTP2(true)
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			me := r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()
			if strings.HasSuffix(r.URL.Path, "/hold") {
				g.entered <- me
				select {
				case <-g.release:
				case <-r.Context().Done():
				}
			}
			io.WriteString(w, me)
		})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(ln)
		t.Cleanup(func() { s.Close() })
		g.endpoints = append(g.endpoints, ln.Addr().String())
	}
	slices.SortFunc(g.endpoints, func(a, b string) int {
		return netip.MustParseAddrPort(a).Compare(netip.MustParseAddrPort(b))
	})
	wish := &plug{name: "wish", request: func(x *Exchange) Verdict {
		if i := x.Path()[1] - '0'; i < 10 {
			x.Prefer(netip.MustParseAddrPort(g.endpoints[i]))
		}
		return Continue
	}}
	g.gateway = newGateway(t, func(c *config.Config) {
		c.Threads, c.Upstream.MaxConnectionsPerEndpoint, c.Upstream.Retries = 1, 1, 0
	}, Options{Filters: []Filter{wish}})
	g.serveProtocol(p, g.endpoints...)
	return g
}

// hold has Endpoint i hold a request.
func (g *crowded) hold(i int) {
	g.t.Helper()
	c := g.wire()
	c.Send("GET /%d/hold HTTP/1.1\r\nHost: a\r\n\r\n", i)
	if at := <-g.entered; at != g.endpoints[i] {
		g.t.Fatalf("%s holds the request, want %s", at, g.endpoints[i])
	}
	g.held = append(g.held, c)
}

// TestFullEndpoints: a request goes to an Endpoint that has room for it, on a new connection or on one that is open, while
// there is one; without one it gets 503, and no Endpoint is blamed.
func TestFullEndpoints(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		t.Run(p.String(), func(t *testing.T) {
			const n = 4
			g := newCrowded(t, p, n)
			c := g.wire()
			for i := range n { // a connection to each, and what each has to say about its streams
				if got := c.Get("/" + string(rune('0'+i))); got.Text != g.endpoints[i] {
					t.Fatalf("wished for %s, got %d %q", g.endpoints[i], got.StatusCode, got.Text)
				}
			}
			for i := range n {
				for range 12 {
					if got := c.Get("/x"); got.StatusCode != 200 || slices.Index(g.endpoints, got.Text) < i {
						t.Fatalf("%d of %d Endpoints are full: got %d %q", i, n, got.StatusCode, got.Text)
					}
				}
				for j := range n { // idle connections do not make an Endpoint full for a wish
					got := c.Get("/" + string(rune('0'+j)))
					if got.StatusCode != 200 || j >= i && got.Text != g.endpoints[j] {
						t.Errorf("%d of %d Endpoints are full: wished for number %d, got %d %q", i, n, j, got.StatusCode, got.Text)
					}
				}
				g.hold(i)
			}
			for range n {
				if got := c.Get("/x"); got.StatusCode != 503 {
					t.Errorf("all are full: got %d %q", got.StatusCode, got.Text)
				}
			}
			close(g.release)
			for i, c := range g.held {
				if got := c.ReadAnswer("GET"); got.Text != g.endpoints[i] {
					t.Errorf("the request that was held got %d %q", got.StatusCode, got.Text)
				}
			}
			g.wantAtRest()
			if e, r := g.ejected(), g.counted(func(c *stats.Counters) uint64 { return c.Retries }); e != 0 || r != 0 {
				t.Errorf("%d ejected, %d retries", e, r)
			}
			if got := g.upstreamConns(); got != n {
				t.Errorf("%d connections, want %d", got, n)
			}
		})
	}
}

// TestFullEndpointsOfPassthrough is TestFullEndpoints for connections that are passed on: each takes one of an Endpoint's.
func TestFullEndpointsOfPassthrough(t *testing.T) {
	t.Parallel()
	const n = 4
	hello := servertest.ClientHello(t, "pass.test")
	g := newGateway(t, func(c *config.Config) {
		c.Threads, c.Upstream.MaxConnectionsPerEndpoint, c.Upstream.Retries = 1, 1, 0
	}, Options{})
	var endpoints []string
	for range n {
		endpoints = append(endpoints, servertest.BehindHello(t, hello, servertest.Echo))
	}
	g.servePassthrough("", endpoints...)
	open := func() *servertest.Wire {
		c := g.secureWire()
		c.Send("%s", hello+"ping")
		c.Exactly("ping")
		return c
	}
	var held []*servertest.Wire
	for i := range n {
		for range 8 {
			c := open()
			c.CloseWrite()
			c.WantClosed()
			servertest.Until(t, "the connection to be gone", func() bool { return int(g.upstreamConns()) == i })
		}
		held = append(held, open())
	}
	c := g.secureWire()
	c.Send("%s", hello)
	c.WantClosed()
	if n := g.failures(stats.UpstreamOverload); n != 1 {
		t.Errorf("counted %d times", n)
	}
	for _, c := range held {
		c.Send("pong")
		c.Exactly("pong")
		c.CloseWrite()
		c.WantClosed()
	}
	g.wantAtRest()
	open()
}

// TestAttemptsAreExact: a request and a connection that is passed on are tried exactly as often as is configured, where no
// Endpoint can be connected to, and every attempt is counted at one.
func TestAttemptsAreExact(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	refusing := []string{servertest.Refusing(t), servertest.Refusing(t)}
	for what, try := range map[string]func(*gateway){
		"request": func(g *gateway) {
			g.serve(nil, refusing...)
			if got := g.wire().Get("/"); got.StatusCode != 502 {
				t.Errorf("got %d %q", got.StatusCode, got.Text)
			}
		},
		"passthrough": func(g *gateway) {
			g.servePassthrough("", refusing...)
			c := g.secureWire()
			c.Send("%s", hello)
			c.WantClosed()
		},
	} {
		for retries := range 4 {
			g := newGateway(t, func(c *config.Config) { c.Threads, c.Upstream.Retries = 1, retries }, Options{})
			try(g)
			attempts := 0
			done := make(chan struct{})
			w := g.workers[0]
			w.Post(func() {
				w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { attempts += int(s.Outcomes[upstream.ConnectFailed]) })
				close(done)
			})
			<-done
			counted := int(g.counted(func(c *stats.Counters) uint64 { return c.Retries }))
			if attempts != 1+retries || counted != retries {
				t.Errorf("%s: %d attempts, %d retries are counted; want 1 and %d", what, attempts, counted, retries)
			}
			g.wantAtRest()
		}
	}
}
