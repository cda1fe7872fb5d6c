package server

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/up"
)

// poison is a response of an Endpoint's to no request.
const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

// arrive waits, on a loop, until a socket of that loop has bytes, of which no event was handled.
func arrive(t testing.TB, s *loop.Source) {
	for end := time.Now().Add(servertest.Timeout); ; runtime.Gosched() {
		if n, err := unix.IoctlGetInt(s.FD(), unix.TIOCINQ); err == nil && n > 0 {
			return
		}
		if time.Now().After(end) {
			t.Error("nothing arrives")
			return
		}
	}
}

// TestUnsolicitedBytesInABatch: bytes that an Endpoint sends behind its answer are no answer to the next request, also where
// the loop handles that request before the event of the bytes: because the connection was released in the same batch of
// events, or because the event is further back in the batch.
func TestUnsolicitedBytesInABatch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		reaches bool // the connection becomes idle in the batch
	}{{"released in the batch", true}, {"with an event later in the batch", false}} {
		t.Run(row.name, func(t *testing.T) {
			steps := make(chan string)
			asked := make(chan struct{}, 1)
			g := newGateway(t, oneLoop, Options{})
			g.serve(nil, servertest.RawBackend(t, func(n int, c *servertest.Wire) {
				for {
					head := c.Head()
					switch {
					case head == "":
						return
					case servertest.Target(head) == "/first":
						asked <- struct{}{}
						for s := range steps {
							c.Send(strings.ReplaceAll(s, "%", "%%"))
						}
					default:
						c.Send(servertest.OKResponse(servertest.Target(head)))
					}
				}
			}))
			w := g.workers[0]
			onLoop := func(f func()) {
				done := make(chan struct{})
				w.Post(func() { defer close(done); f() })
				<-done
			}
			victim, first := g.wire(), g.wire()
			victim.Get("/warm")
			first.Get("/warm")
			first.Send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
			<-asked
			var u *up.Conn
			var c *down.Conn
			onLoop(func() {
				for d := range w.down.All() {
					if x := d.Exchange(); x != nil {
						u = x.EndpointSide().(*up.Conn)
					} else {
						c = d
					}
				}
			})
			if u == nil || c == nil {
				t.Fatal("the connections are not where they should be")
			}
			if !row.reaches {
				steps <- servertest.OKResponse("/first")
				first.ReadAnswer("GET")
			}
			onLoop(func() {
				if row.reaches {
					steps <- servertest.OKResponse("/first")
					arrive(t, &u.Src)
					u.Ready(loop.Readable)
					if !u.Idle() {
						t.Error("the first Exchange has not ended")
					}
				}
				victim.Send("GET /victim HTTP/1.1\r\nHost: a\r\n\r\n")
				arrive(t, &c.Src)
				steps <- poison
				arrive(t, &u.Src)
				if row.reaches {
					c.Ready(loop.Readable)
				} // else the events come together, the client's first
			})
			close(steps)
			if got := victim.ReadAnswer("GET"); got.Text != "/victim" {
				t.Errorf("the next request was answered with %d %q", got.StatusCode, got.Text)
			}
		})
	}
}
