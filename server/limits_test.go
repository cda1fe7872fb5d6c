package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// TestHeadLimits: what is at the limit passes, one more does not.
func TestHeadLimits(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Limits.HeaderBytes, c.Limits.HeaderCount = 4096, 10 }, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	const start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
	for _, tt := range []struct {
		name, raw string
		status    int
	}{
		{"10 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 9) + "\r\n", 200},
		{"11 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 10) + "\r\n", 431},
		{"4096 bytes", start + strings.Repeat("y", 4096-len(start)-4) + "\r\n\r\n", 200},
		{"4097 bytes", start + strings.Repeat("y", 4097-len(start)-4) + "\r\n\r\n", 431},
		{"1 MB", start + strings.Repeat("y", 1_000_000) + "\r\n\r\n", 431},
		{"target of 4 KiB", "GET /" + strings.Repeat("a", 4096) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
	} {
		for _, split := range []bool{false, true} {
			c := g.wire()
			if split {
				for rest := tt.raw[:min(len(tt.raw), 8000)]; rest != ""; {
					n := min(len(rest), 1000)
					c.Send(rest[:n])
					g.settle()
					rest = rest[n:]
				}
			} else {
				c.Send(tt.raw)
			}
			if got := c.ReadAnswer("GET"); got.StatusCode != tt.status {
				t.Errorf("%s, split %v: status %d %v, want %d", tt.name, split, got.StatusCode, got.Cut, tt.status)
			}
			c.Close()
		}
	}
}

// TestBodyLimit: data counts, framing does not; the default, a Route's own and none.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	g := newGateway(t, func(c *config.Config) { c.Limits.BodyBytes = limit }, Options{})
	app := servertest.EchoBackend(t)
	chunked := func(n, size int) string {
		var b strings.Builder
		for ; n > 0; n -= size {
			k := min(n, size)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", k, strings.Repeat("x", k))
		}
		return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b.String() + "0\r\n\r\n"
	}
	length := func(n int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
	}
	for _, tt := range []struct {
		name   string
		policy *asked.Policy
		raw    string
		status int
	}{
		{"length at the limit", nil, length(limit), 200},
		{"length over it", nil, length(limit + 1), 413},
		{"length far over it", nil, length(20 * limit), 413},
		{"chunked at the limit", nil, chunked(limit, 50_000), 200},
		{"chunked at the limit, in small chunks", nil, chunked(limit, 10), 200},
		{"chunked over it", nil, chunked(limit+1, 50_000), 413},
		{"chunked over it, in one chunk", nil, chunked(limit+1, limit+1), 413},
		{"chunked far over it", nil, chunked(20*limit, 50_000), 413},
		{"small and over", &asked.Policy{Limits: asked.Limits{BodyBytes: 10}}, chunked(11, 5), 413},
		{"a Route that takes more", &asked.Policy{Limits: asked.Limits{BodyBytes: 5 * limit}}, length(5 * limit), 200},
		{"a Route that takes less", &asked.Policy{Limits: asked.Limits{BodyBytes: 10}}, length(11), 413},
		{"a Route that takes all", &asked.Policy{Limits: asked.Limits{BodyBytes: -1}}, chunked(20*limit, 50_000), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.serve(tt.policy, app)
			c := servertest.NewWire(t, g.dial())
			go c.Send(tt.raw)
			got := c.ReadAnswer("POST")
			if got.StatusCode != tt.status || got.Cut != nil {
				t.Errorf("status %d %v, want %d", got.StatusCode, got.Cut, tt.status)
			}
			c.Close()
		})
	}
}

// TestBodyLimitReachesTheClient: a client that sends all of a body that is far too large gets to read why it is refused.
func TestBodyLimitReachesTheClient(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.EchoBackend(t))
	for range 10 {
		resp, err := http.Post("http://"+g.addr, "", io.MultiReader(bytes.NewReader(make([]byte, 3_000_000))))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("status %d, want 413", resp.StatusCode)
		}
	}
}

// TestAbortedUploadLeavesNoTrace: an exchange that ends in the middle of a spliced body must not be counted towards the
// limit of the next that its memory serves.
func TestAbortedUploadLeavesNoTrace(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) {
		c.Threads = 1
		c.Limits.BodyBytes = 10 << 20
	}, Options{})
	g.serve(nil, servertest.EchoBackend(t))
	for range 5 {
		c := g.wire()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 10<<20)
		c.Write(make([]byte, 1<<20))
		g.settle()
		c.Close()
		g.settle()
		next := g.wire()
		body := string(servertest.Pattern(2 << 20))
		next.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if got := next.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != body {
			t.Errorf("the next request got %d and %d bytes", got.StatusCode, len(got.Text))
		}
	}
}

// TestConnectionLimit: a connection over the limit is closed where no idle one can be shed for it; those open are served,
// and one that ends makes room.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Limits.Connections = 8 }, Options{})
	release := make(chan struct{})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		io.WriteString(w, "ok")
	}))
	var open []*servertest.Wire
	for n := range 8 {
		c := g.wireFrom(byte(2 + n%3))
		c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		open = append(open, c)
	}
	servertest.Until(t, "eight requests to be under way", func() bool {
		return g.counted(func(c *stats.Counters) uint64 { return c.ExchangesStarted }) == 8
	})
	for n := range 3 {
		g.wireFrom(byte(10 + n)).WantClosed()
	}
	close(release)
	for _, c := range open {
		if got := c.ReadAnswer("GET"); got.Text != "ok" {
			t.Errorf("one within the limit got %d %q", got.StatusCode, got.Text)
		}
	}
	open[0].Close()
	servertest.Until(t, "it to be closed", func() bool { _, n := g.connections(); return n == 7 })
	if got := g.wire().Get("/"); got.Text != "ok" {
		t.Errorf("after one ended: %d %q", got.StatusCode, got.Text)
	}
}

// TestFloodOfPipelinedRequests: a client that pipelines requests as fast as it can, each answered by the gateway itself,
// does not keep the loop from others.
func TestFloodOfPipelinedRequests(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	c := g.wire()
	flood := strings.Repeat("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 1<<14)
	read := make(chan int64)
	go func() { n, _ := io.Copy(io.Discard, c.TCPConn); read <- n }()
	sent := make(chan struct{})
	go func() { c.Send(flood); close(sent) }()
	other := g.wire()
	for range 20 {
		if got := other.Get("/"); got.Text != "ok" {
			t.Fatalf("got %d %q", got.StatusCode, got.Text)
		}
	}
	<-sent
	c.CloseWrite()
	<-read
	worker := g.workers[0]
	most := make(chan uint64)
	worker.Post(func() { n, _ := worker.Batches(); most <- n })
	// 16,384 requests in rounds of at most 64: had they been served in one go, so few batches of events could not have been
	// enough.
	if n := <-most; n < 1<<14/64/2 {
		t.Errorf("the loop went round only %d times", n)
	}
}
