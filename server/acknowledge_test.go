package server

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestPiecesAreAcknowledged: the first request of a connection is acknowledged by its response, unless more of it has to come:
// a client with Nagle's algorithm sends that only behind the acknowledgement.
func TestPiecesAreAcknowledged(t *testing.T) {
	t.Parallel()
	held, release := make(chan struct{}), make(chan struct{})
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
		held <- struct{}{}
		<-release
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return true
	}))
	// atOnce reports whether the gateway's socket of a client acknowledges at once.
	atOnce := func(client *servertest.Wire) bool {
		port := client.LocalAddr().(*net.TCPAddr).Port
		found := make(chan int, len(g.workers))
		for _, w := range g.workers {
			w.Post(func() {
				on := 0
				for c := range w.down.All() {
					if int(c.Remote.Port()) == port {
						on, _ = syscall.GetsockoptInt(c.Src.FD(), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK)
					}
				}
				found <- on
			})
		}
		on := 0
		for range g.workers {
			on += <-found
		}
		return on > 0
	}
	for begun := time.Now(); ; {
		c := g.wire()
		sent := time.Now()
		c.Send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
		<-held
		quick := atOnce(c)
		took := time.Since(sent)
		release <- struct{}{}
		if got := c.ReadAnswer("GET"); got.Text != "ok" {
			t.Errorf("got %d %q", got.StatusCode, got.Text)
		}
		if !quick {
			break
		}
		// The kernel acknowledges after 40 ms without a response, and at once from then on.
		if took < 30*time.Millisecond || time.Since(begun) > servertest.Timeout {
			t.Fatalf("a whole request is acknowledged at once, %v after it was sent", took)
		}
	}
	head := g.wire()
	head.Send("GET / HTTP/1.1\r\nHo")
	servertest.Until(t, "half a head to be acknowledged", func() bool { return atOnce(head) })
	body := g.wire()
	body.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	servertest.Until(t, "a head without its body to be acknowledged", func() bool { return atOnce(body) })
}
