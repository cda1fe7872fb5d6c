package server

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// hasty is a Backend that answers each request before it reads its body, and then waits for as much as the head announced,
// as nginx does: {n} of an answer is the target of the request. It notes the requests that it finds.
func hasty(t testing.TB) (addr string, seen *servertest.Targets) {
	seen = &servertest.Targets{}
	return servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			seen.Add(servertest.Target(head))
			c.Send("HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s", len(servertest.Target(head)), servertest.Target(head))
			for _, line := range strings.Split(head, "\r\n") {
				if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
					var n int
					_, _ = fmt.Sscan(value, &n)
					c.Take(n)
				}
			}
		}
	}), seen
}

// TestExtendedConnectHasNoLength: an extended CONNECT that announces a body is malformed, and one that announces that there
// is none goes to the Endpoint without a length (RFC 8441 section 4, RFC 9110 section 9.3.6). The next client's request is
// not taken for its body.
func TestExtendedConnectHasNoLength(t *testing.T) {
	t.Parallel()
	addr, seen := hasty(t)
	g := newGateway(t, oneLoop, Options{})
	g.serveProtocol(routing.HTTP, addr)
	c := servertest.DialHTTP2(t, g.addr)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for i, length := range []string{"330", "0"} {
		stream := uint32(1 + 2*i)
		c.Fields(stream, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/404",
			"sec-websocket-version", "13", "content-length", length)
		status, reset := c.AwaitEnd(t, stream)
		if length == "0" && status != "404" || length != "0" && reset != http2.ErrCodeProtocol {
			t.Errorf("content-length %s: status %q, reset %v", length, status, reset)
		}
		victim := g.wire()
		if got := victim.Get("/victim"); got.StatusCode != 404 || got.Text != "/victim" {
			t.Errorf("content-length %s: who came next got %d %q, %v", length, got.StatusCode, got.Text, got.Cut)
		}
	}
	if got := seen.String(); got != `["/victim" "/404" "/victim"]` {
		t.Errorf("the Backend saw %s", got)
	}
}

// TestRefusedUpgradeIsNotReused: an Endpoint may leave HTTP/1.1 on a connection on which it was asked for another protocol,
// even if it refuses, so that no other request goes over it.
func TestRefusedUpgradeIsNotReused(t *testing.T) {
	t.Parallel()
	conns := make(chan int, 10)
	g := newGateway(t, oneLoop, Options{})
	g.serveProtocol(routing.HTTP, servertest.RawBackend(t, func(n int, c *servertest.Wire) {
		for c.Head() != "" {
			conns <- n
			c.Send(servertest.OKResponse("no"))
		}
	}))
	c := g.wire()
	c.Get("/")
	c.Send(servertest.UpgradeRequest)
	c.ReadAnswer("GET")
	c.Get("/")
	c.Get("/")
	if a, b, d, e := <-conns, <-conns, <-conns, <-conns; a != 0 || b != 0 || d != 1 || e != 1 {
		t.Errorf("requests, the second an Upgrade, went over connections %d, %d, %d, %d", a, b, d, e)
	}
}
