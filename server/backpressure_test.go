package server

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
)

// Bounds of what may be under way towards a peer that does not read. A kernel socket takes up to 4 MiB
// to send and up to 32 MiB to receive by itself, twice over; the gateway's own share is one read or one
// pipe, and what the gateway holds in its own memory is measured apart.
const (
	kernelBuffers  = 72 << 20
	gatewayBuffers = 256 << 10
)

// held counts the bytes that every connection's buffers hold.
func (g *gateway) held() (bytes int) {
	for _, w := range g.workers {
		total := make(chan int)
		w.Post(func() {
			n := 0
			for c := w.downs.next; c != &w.downs; c = c.next {
				n += cap(c.in.b) + cap(c.out.b)
				if x := c.x; x != nil {
					n += cap(x.request)
					if u, ok := x.u.(*upConn); ok {
						n += cap(u.in.b) + cap(u.out.b)
					}
				}
			}
			total <- n
		})
		bytes += <-total
	}
	return bytes
}

// patience is far more than a request takes on any machine, and less than what a loop that waits for a stuck
// peer takes: that one never answers.
const patience = wireTimeout / 2

// latency measures requests of another client while the first is stuck.
func (g *gateway) latency(n int) (worst time.Duration) {
	c := g.wire()
	for range n {
		begun := time.Now()
		if got := c.get("/quick"); got.body != "ok" {
			g.t.Errorf("another client got %d %q", got.StatusCode, got.body)
		}
		worst = max(worst, time.Since(begun))
	}
	c.Close()
	return worst
}

// TestSlowReader: a response whose client reads nothing stops at the buffers' bounds, is whole once the
// client reads, and holds nobody up.
func TestSlowReader(t *testing.T) {
	const size = 96 << 20
	for _, framing := range []string{"copied", "spliced", "chunked", "until close"} {
		t.Run(framing, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) {
				c.Threads = 1
				if framing == "copied" {
					c.HTTP.SpliceThreshold = 0
				}
			}, Options{})
			pushed := make(chan int, 1)
			g.serve(nil, rawBackend(t, func(_ int, c *wire) {
				for {
					head := c.head()
					if head == "" {
						return
					}
					if target(head) == "/quick" {
						c.send(okResponse("ok"))
						continue
					}
					switch framing {
					case "chunked":
						c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", size)
					case "until close":
						c.send("HTTP/1.1 200 OK\r\n\r\n")
					default:
						c.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
					}
					n := pushUntilFull(c, size)
					pushed <- n
					c.SetWriteDeadline(time.Now().Add(wireTimeout))
					c.Write(make([]byte, size-n))
					if framing == "chunked" {
						c.send("\r\n0\r\n\r\n")
					}
					if framing == "until close" {
						return
					}
				}
			}))
			c := g.wire()
			c.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
			n := <-pushed
			t.Logf("%d KiB were taken", n>>10)
			if n > kernelBuffers {
				t.Errorf("the Backend could send %d MiB", n>>20)
			}
			if n := g.held(); n > gatewayBuffers {
				t.Errorf("the gateway holds %d KiB", n>>10)
			}
			if d := g.latency(200); d > patience {
				t.Errorf("another client waited %v", d)
			}
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
				t.Errorf("%d bytes came, %v", n, err)
			}
		})
	}
}

// TestSlowBackend is the same for an upload.
func TestSlowBackend(t *testing.T) {
	const size = 96 << 20
	for _, framing := range []string{"copied", "spliced", "chunked"} {
		t.Run(framing, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) {
				c.Threads = 1
				c.Limits.BodyBytes = 0
				if framing == "copied" {
					c.HTTP.SpliceThreshold = 0
				}
			}, Options{})
			release := make(chan struct{})
			g.serve(nil, rawBackend(t, func(_ int, c *wire) {
				for {
					head := c.head()
					switch target(head) {
					case "":
						return
					case "/quick":
						c.send(okResponse("ok"))
					default:
						<-release
						c.SetDeadline(time.Now().Add(wireTimeout))
						n, _ := io.CopyN(io.Discard, c.r, size)
						c.send(okResponse(fmt.Sprint(n)))
						c.rest()
					}
				}
			}))
			c := g.wire()
			if framing == "chunked" {
				c.send("POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", size)
			} else {
				c.send("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
			}
			n := pushUntilFull(c, size)
			t.Logf("%d KiB were taken", n>>10)
			if n > kernelBuffers {
				t.Errorf("the client could send %d MiB", n>>20)
			}
			if n := g.held(); n > gatewayBuffers {
				t.Errorf("the gateway holds %d KiB", n>>10)
			}
			if d := g.latency(200); d > patience {
				t.Errorf("another client waited %v", d)
			}
			close(release)
			c.SetDeadline(time.Now().Add(wireTimeout))
			c.Write(make([]byte, size-n))
			if framing == "chunked" {
				c.send("\r\n0\r\n\r\n")
			}
			if got := c.read("POST"); got.body != fmt.Sprint(size) {
				t.Errorf("got %d %q", got.StatusCode, got.body)
			}
		})
	}
}

// TestPipelinerThatReadsNothing: answers of the gateway's own, and those of Backends, wait for a client
// that sends request after request and reads nothing; it must not make the gateway hold them.
func TestPipelinerThatReadsNothing(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	addr, _ := scripted(t, okResponse(string(pattern(10_000))), false)
	g.serve(nil, addr)
	for _, request := range []string{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
		c := g.wire()
		block := make([]byte, 0, 1<<20)
		for len(block)+len(request) <= cap(block) {
			block = append(block, request...)
		}
		for range 64 {
			c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := c.Write(block); err != nil {
				break
			}
		}
		if n := g.held(); n > gatewayBuffers {
			t.Errorf("%.7s: the gateway holds %d KiB", request, n>>10)
		}
		c.Close()
	}
}

// TestIdleConnectionsHoldNothing: after a request each, large ones among them, no connection keeps a
// buffer.
func TestIdleConnectionsHoldNothing(t *testing.T) {
	g := newGateway(t, nil, Options{})
	g.serve(nil, echoBackend(t))
	for i := range 100 {
		c := g.wire()
		body := string(pattern(1000 * i))
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if got := c.read("POST"); got.body != body {
			t.Fatalf("got %d, %d bytes", got.StatusCode, len(got.body))
		}
	}
	g.settle()
	if n := g.held(); n != 0 {
		t.Errorf("100 idle connections hold %d bytes", n)
	}
}
