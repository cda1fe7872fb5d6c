package server

import (
	"sync"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestPiecesAreAcknowledged: the first request of a connection is acknowledged by its response, unless more of it has to come:
// a client with Nagle's algorithm sends that only behind the acknowledgement.
func TestPiecesAreAcknowledged(t *testing.T) {
	t.Parallel()
	held, release := make(chan struct{}), make(chan struct{})
	freed := sync.OnceFunc(func() { close(release) })
	defer freed()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
		close(held)
		<-release
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return true
	}))
	atOnce := func() (n int) {
		g.settle()
		for _, w := range g.workers {
			found := make(chan int, 1)
			w.Post(func() {
				k := 0
				for c := range w.down.All() {
					on, err := syscall.GetsockoptInt(c.Src.FD(), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK)
					if err != nil {
						t.Error(err)
					}
					k += on
				}
				found <- k
			})
			n += <-found
		}
		return n
	}
	whole := g.wire()
	whole.Send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
	<-held
	if n := atOnce(); n != 0 {
		t.Errorf("%d connections acknowledge a whole request at once", n)
	}
	head := g.wire()
	head.Send("GET / HTTP/1.1\r\nHo")
	servertest.Until(t, "half a head to be acknowledged", func() bool { return atOnce() == 1 })
	body := g.wire()
	body.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	servertest.Until(t, "a head without its body to be acknowledged", func() bool { return atOnce() == 2 })
	freed()
	if got := whole.ReadAnswer("GET"); got.Text != "ok" {
		t.Errorf("got %d %q", got.StatusCode, got.Text)
	}
}
