package server

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// Bounds of what may be under way towards a peer that does not read. A kernel socket takes up to 4 MiB to send and up to 32
// MiB to receive by itself, twice over; the gateway's own share is one read or one pipe, and what the gateway holds in its
// own memory is measured apart.
const (
	kernelBuffers  = 72 << 20
	gatewayBuffers = 256 << 10
)

// patience is far more than a request takes on any machine, and less than what a loop that waits for a stuck peer takes:
// that one never answers.
const patience = servertest.Timeout / 2

// TestSlowReader: a response whose client reads nothing stops at the buffers' bounds, is whole once the client reads, and
// delays no other client.
func TestSlowReader(t *testing.T) {
	t.Parallel()
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
			g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
				for {
					head := c.Head()
					if head == "" {
						return
					}
					if servertest.Target(head) == "/quick" {
						c.Send(servertest.OKResponse("ok"))
						continue
					}
					switch framing {
					case "chunked":
						c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", size)
					case "until close":
						c.Send("HTTP/1.1 200 OK\r\n\r\n")
					default:
						c.Send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
					}
					n := servertest.PushUntilFull(c, size)
					pushed <- n
					c.SetWriteDeadline(time.Now().Add(servertest.Timeout))
					c.Write(make([]byte, size-n))
					if framing == "chunked" {
						c.Send("\r\n0\r\n\r\n")
					}
					if framing == "until close" {
						return
					}
				}
			}))
			c := g.wire()
			c.Send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
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
			resp, err := http.ReadResponse(c.R, nil)
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
	t.Parallel()
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
			g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
				for {
					head := c.Head()
					switch servertest.Target(head) {
					case "":
						return
					case "/quick":
						c.Send(servertest.OKResponse("ok"))
					default:
						<-release
						c.SetDeadline(time.Now().Add(servertest.Timeout))
						n, _ := io.CopyN(io.Discard, c.R, size)
						c.Send(servertest.OKResponse(fmt.Sprint(n)))
						c.Rest()
					}
				}
			}))
			c := g.wire()
			if framing == "chunked" {
				c.Send("POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", size)
			} else {
				c.Send("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
			}
			n := servertest.PushUntilFull(c, size)
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
			c.SetDeadline(time.Now().Add(servertest.Timeout))
			c.Write(make([]byte, size-n))
			if framing == "chunked" {
				c.Send("\r\n0\r\n\r\n")
			}
			if got := c.ReadAnswer("POST"); got.Text != fmt.Sprint(size) {
				t.Errorf("got %d %q", got.StatusCode, got.Text)
			}
		})
	}
}

// TestPipelinerThatReadsNothing: answers of the gateway's own, and those of Backends, wait for a client that sends request
// after request and reads nothing; it must not make the gateway hold them.
func TestPipelinerThatReadsNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse(string(servertest.Pattern(10_000))), false)
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

// TestIdleConnectionsHoldNothing: after a request each, large ones among them, no connection keeps a buffer.
func TestIdleConnectionsHoldNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.EchoBackend(t))
	for i := range 100 {
		c := g.wire()
		body := string(servertest.Pattern(1000 * i))
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if got := c.ReadAnswer("POST"); got.Text != body {
			t.Fatalf("got %d, %d bytes", got.StatusCode, len(got.Text))
		}
	}
	g.settle()
	if n := g.held(); n != 0 {
		t.Errorf("100 idle connections hold %d bytes", n)
	}
}
