package server

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/upstream"
)

// breaking is a Backend whose connections answer one request each and fail the second, by FIN or by
// reset, after they have read it; what they send first is partial. It records every request.
func breaking(t *testing.T, reset bool, partial string) (string, *targets) {
	seen := &targets{}
	return rawBackend(t, func(_ int, c *wire) {
		for served := 0; ; served++ {
			head := c.head()
			if head == "" {
				return
			}
			if strings.Contains(head, "\r\nContent-Length: 4\r\n") {
				c.take(4)
			}
			method, _, _ := strings.Cut(head, " ")
			seen.add(method)
			if served == 1 {
				c.send(partial)
				if reset {
					c.SetLinger(0)
				}
				return
			}
			c.send(okResponse("ok"))
		}
	}), seen
}

// TestStaleConnections: what is idempotent and wholly held is sent again when a reused connection
// breaks before a byte of the response; what is not gets 502, and the Backend sees it once.
func TestStaleConnections(t *testing.T) {
	for _, tt := range []struct {
		name, request, partial string
		reset                  bool
		status, seen           int // requests that the Backend sees of it
	}{
		{"GET, FIN", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", false, 200, 2},
		{"GET, reset", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", true, 200, 2},
		{"PUT with its body", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "", false, 200, 2},
		{"POST", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "", false, 502, 1},
		{"POST, reset", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "", true, 502, 1},
		{"PATCH without body", "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", "", false, 502, 1},
		{"unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "", false, 502, 1},
		{"GET, one byte came", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "H", false, 502, 1},
		{"GET, an interim response came", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", false, 502, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			addr, seen := breaking(t, tt.reset, tt.partial)
			g.serve(nil, addr)
			c := g.wire()
			if got := c.get("/"); got.StatusCode != 200 {
				t.Fatalf("first: %d", got.StatusCode)
			}
			c.send(tt.request)
			method, _, _ := strings.Cut(tt.request, " ")
			if got := c.read(method); got.StatusCode != tt.status {
				t.Errorf("status %d %q, want %d", got.StatusCode, got.body, tt.status)
			}
			if seen.count() != 1+tt.seen {
				t.Errorf("the Backend saw %v, want the second %d times", seen, tt.seen)
			}
			if got := c.get("/"); got.StatusCode != 200 {
				t.Errorf("afterwards: %d", got.StatusCode)
			}
		})
	}
}

// TestClosedWhileIdle: a connection that the Backend closes between requests is noticed before it is
// used, so even a POST does not meet it.
func TestClosedWhileIdle(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serve(nil, rawBackend(t, func(_ int, c *wire) { c.head(); c.send(okResponse("ok")) }))
	c := g.wire()
	for range 20 {
		c.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.read("POST"); got.StatusCode != 200 {
			t.Fatalf("status %d %q", got.StatusCode, got.body)
		}
		// The Backend closes behind its answer. Its connection is gone once the gateway holds none.
		for idle := int32(1); idle > 0; {
			g.settle()
			idle = g.upstreamConns()
		}
	}
}

// upstreamConns counts the connections to Endpoints.
func (g *gateway) upstreamConns() int32 {
	total := make(chan int32)
	var sum int32
	for _, w := range g.workers {
		w.Post(func() {
			n := int32(0)
			w.upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { n += int32(s.Conns) })
			total <- n
		})
		sum += <-total
	}
	return sum
}

// TestFreshConnectionsThatBreak are tried once more, and no more.
func TestFreshConnectionsThatBreak(t *testing.T) {
	g := newGateway(t, nil, Options{})
	seen := &targets{}
	g.serve(nil, rawBackend(t, func(_ int, c *wire) { seen.add(target(c.head())) }))
	if got := g.wire().get("/"); got.StatusCode != 502 || seen.count() != 2 {
		t.Errorf("status %d after %d attempts, want 502 after 2", got.StatusCode, seen.count())
	}
}

// TestDeadEndpoint: requests whose Endpoint refuses connections go to another, whatever their method,
// and the dead one is left alone after a few of them.
func TestDeadEndpoint(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	refuses := rawBackend(t, func(int, *wire) {})
	visits := &targets{}
	resets := rawBackend(t, func(_ int, c *wire) { visits.add("x"); c.head(); c.SetLinger(0) })
	good, _ := scripted(t, okResponse("ok"), false)
	for name, bad := range map[string]string{"refuses": "127.0.0.1:1", "closes": refuses, "resets": resets} {
		g.serve(nil, bad, good)
		c := g.wire()
		for i := range 100 {
			method := "GET"
			if name == "refuses" && i%2 == 1 {
				method = "POST"
			}
			c.send("%s / HTTP/1.1\r\nHost: a\r\n\r\n", method)
			if got := c.read(method); got.StatusCode != 200 {
				t.Errorf("%s: request %d: %d %q", name, i, got.StatusCode, got.body)
			}
		}
	}
	if n := visits.count(); n == 0 || n > 10 {
		t.Errorf("the Endpoint that resets was tried %d times in 100 requests", n)
	}
}

// TestEndpointLeaves: an exchange in flight with an Endpoint that leaves its Backend finishes, new
// requests go elsewhere, and its idle connections are closed.
func TestEndpointLeaves(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	started, release, purged := make(chan struct{}), make(chan struct{}), make(chan struct{}, 8)
	old := rawBackend(t, func(_ int, c *wire) {
		for {
			switch target(c.head()) {
			case "/slow":
				c.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nold")
				started <- struct{}{}
				<-release
				c.send("old")
			case "":
				purged <- struct{}{}
				return
			default:
				c.send(okResponse("old"))
			}
		}
	})
	g.serve(nil, old)
	slow, idle := g.wire(), g.wire()
	slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	if got := idle.get("/"); got.body != "old" { // leaves an idle connection to the old Endpoint
		t.Fatalf("got %q", got.body)
	}
	next, _ := scripted(t, okResponse("new"), false)
	g.serve(nil, next)
	<-purged
	if got := idle.get("/"); got.body != "new" {
		t.Errorf("a new request got %d %q", got.StatusCode, got.body)
	}
	close(release)
	if got := slow.read("GET"); got.body != "oldold" || got.cut != nil {
		t.Errorf("the exchange in flight got %q, %v", got.body, got.cut)
	}
	<-purged // its connection is not pooled any more
	if got := slow.get("/"); got.body != "new" {
		t.Errorf("then %q", got.body)
	}
}
