package server

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// breaking is a Backend whose connections answer one request each and fail the second, by FIN or by reset, after they have
// read it; what they send first is partial. It records every request.
func breaking(t *testing.T, reset bool, partial string) (string, *servertest.Targets) {
	seen := &servertest.Targets{}
	return servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for served := 0; ; served++ {
			head := c.Head()
			if head == "" {
				return
			}
			if strings.Contains(head, "\r\nContent-Length: 4\r\n") {
				c.Take(4)
			}
			method, _, _ := strings.Cut(head, " ")
			seen.Add(method)
			if served == 1 {
				c.Send(partial)
				if reset {
					c.SetLinger(0)
				}
				return
			}
			c.Send(servertest.OKResponse("ok"))
		}
	}), seen
}

// TestStaleConnections: a request that is idempotent and wholly held is replayed when a reused connection breaks before a
// byte of the response; another gets 502, and the Backend sees it once.
func TestStaleConnections(t *testing.T) {
	t.Parallel()
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
			if got := c.Get("/"); got.StatusCode != 200 {
				t.Fatalf("first: %d", got.StatusCode)
			}
			c.Send(tt.request)
			method, _, _ := strings.Cut(tt.request, " ")
			if got := c.ReadAnswer(method); got.StatusCode != tt.status {
				t.Errorf("status %d %q, want %d", got.StatusCode, got.Text, tt.status)
			}
			if seen.Count() != 1+tt.seen {
				t.Errorf("the Backend saw %v, want the second %d times", seen, tt.seen)
			}
			if got := c.Get("/"); got.StatusCode != 200 {
				t.Errorf("afterwards: %d", got.StatusCode)
			}
		})
	}
}

// TestClosedWhileIdle: a connection that the Backend closes between requests is noticed before it is used, so even a POST
// does not meet it.
func TestClosedWhileIdle(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) { c.Head(); c.Send(servertest.OKResponse("ok")) }))
	c := g.wire()
	for range 20 {
		c.Send("POST / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.ReadAnswer("POST"); got.StatusCode != 200 {
			t.Fatalf("status %d %q", got.StatusCode, got.Text)
		}
		// The Backend closes behind its answer. Its connection is gone once the gateway holds none.
		for idle := int32(1); idle > 0; {
			g.settle()
			idle = g.upstreamConns()
		}
	}
}

// TestFreshConnectionsThatBreak are tried once more, and no more.
func TestFreshConnectionsThatBreak(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	seen := &servertest.Targets{}
	g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) { seen.Add(servertest.Target(c.Head())) }))
	if got := g.wire().Get("/"); got.StatusCode != 502 || seen.Count() != 2 {
		t.Errorf("status %d after %d attempts, want 502 after 2", got.StatusCode, seen.Count())
	}
}

// TestDeadEndpoint: requests whose Endpoint refuses connections go to another, whatever their method, and the dead one is
// left alone after a few of them.
func TestDeadEndpoint(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	refuses := servertest.RawBackend(t, func(int, *servertest.Wire) {})
	visits := &servertest.Targets{}
	resets := servertest.RawBackend(t, func(_ int, c *servertest.Wire) { visits.Add("x"); c.Head(); c.SetLinger(0) })
	good, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	for name, bad := range map[string]string{"refuses": "127.0.0.1:1", "closes": refuses, "resets": resets} {
		g.serve(nil, bad, good)
		c := g.wire()
		for i := range 100 {
			method := "GET"
			if name == "refuses" && i%2 == 1 {
				method = "POST"
			}
			c.Send("%s / HTTP/1.1\r\nHost: a\r\n\r\n", method)
			if got := c.ReadAnswer(method); got.StatusCode != 200 {
				t.Errorf("%s: request %d: %d %q", name, i, got.StatusCode, got.Text)
			}
		}
	}
	if n := visits.Count(); n == 0 || n > 10 {
		t.Errorf("the Endpoint that resets was tried %d times in 100 requests", n)
	}
}

// TestEndpointLeaves: an exchange in flight with an Endpoint that leaves its Backend finishes, new requests go elsewhere,
// and its idle connections are closed.
func TestEndpointLeaves(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	started, release, purged := make(chan struct{}), make(chan struct{}), make(chan struct{}, 8)
	old := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for {
			switch servertest.Target(c.Head()) {
			case "/slow":
				c.Send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nold")
				started <- struct{}{}
				<-release
				c.Send("old")
			case "":
				purged <- struct{}{}
				return
			default:
				c.Send(servertest.OKResponse("old"))
			}
		}
	})
	g.serve(nil, old)
	slow, idle := g.wire(), g.wire()
	slow.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	if got := idle.Get("/"); got.Text != "old" { // leaves an idle connection to the old Endpoint
		t.Fatalf("got %q", got.Text)
	}
	next, _ := servertest.ScriptedBackend(t, servertest.OKResponse("new"), false)
	g.serve(nil, next)
	<-purged
	if got := idle.Get("/"); got.Text != "new" {
		t.Errorf("a new request got %d %q", got.StatusCode, got.Text)
	}
	close(release)
	if got := slow.ReadAnswer("GET"); got.Text != "oldold" || got.Cut != nil {
		t.Errorf("the exchange in flight got %q, %v", got.Text, got.Cut)
	}
	<-purged // its connection is not pooled any more
	if got := slow.Get("/"); got.Text != "new" {
		t.Errorf("then %q", got.Text)
	}
}
