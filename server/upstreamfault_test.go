package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
)

// evil is a response that nobody asked for. Whoever gets it was served another's bytes.
const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"

// faultyBackend answers every target but /bad with "fine", on connections that stay open, and gives
// /bad to bad. What bad returns is whether the connection goes on.
func faultyBackend(t testing.TB, bad func(c *wire) bool) string {
	return rawBackend(t, func(_ int, c *wire) {
		for {
			head := c.head()
			switch {
			case head == "":
				return
			case target(head) != "/bad":
				c.send(okResponse("fine"))
			case !bad(c):
				return
			}
		}
	})
}

// wantFine checks that others are served as if nothing had happened: on the connection that met the
// fault, where it is still open, and on two others.
func (g *gateway) wantFine(t *testing.T, same *wire, open bool) {
	t.Helper()
	if open {
		if got := same.get("/good"); got.body != "fine" {
			t.Errorf("the same client then got %d %q %v", got.StatusCode, got.body, got.cut)
		}
	}
	for range 2 {
		c := newWire(t, g.dial())
		for range 2 {
			if got := c.get("/good"); got.body != "fine" {
				t.Errorf("another client then got %d %q %v", got.StatusCode, got.body, got.cut)
			}
		}
		c.Close()
	}
}

// TestMalformedResponses sends every response of the corpus, in one piece and byte by byte, with
// another response behind it: a fault in the head is 502, one in the body cuts the client off, and
// what follows reaches nobody.
func TestMalformedResponses(t *testing.T) {
	g := newGateway(t, nil, Options{})
	for _, tt := range h1test.Responses {
		for _, bytewise := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bytewise %v", tt.Name, bytewise), func(t *testing.T) {
				g.serve(nil, faultyBackend(t, func(c *wire) bool {
					raw := tt.Raw
					if !tt.Close {
						raw += evil
					}
					if bytewise && len(raw) < 1000 {
						for i := range raw {
							c.send(raw[i : i+1])
							g.settle()
						}
					} else {
						c.send(raw)
					}
					if !tt.Close {
						c.rest() // the gateway must be the one to close
					}
					return false
				}))
				c := newWire(t, g.dial())
				got := c.get("/bad")
				switch {
				case strings.Contains(got.body, "EVIL"):
					t.Errorf("the client got another's response: %q", got.body)
				case tt.Body && (got.StatusCode != 200 || got.cut == nil):
					t.Errorf("got %d %q as if complete, want it cut", got.StatusCode, got.body)
				case !tt.Body && (got.StatusCode != 502 || got.cut != nil):
					t.Errorf("got %d %q %v, want 502", got.StatusCode, got.body, got.cut)
				}
				g.wantFine(t, c, !tt.Body && !got.Close)
			})
		}
	}
}

// TestBytesBehindAResponse has a Backend send more than it announced, at the sizes where the
// gateway's reads and splices end: the client gets what was announced, and nobody the rest.
func TestBytesBehindAResponse(t *testing.T) {
	for _, splice := range []bool{false, true} {
		g := newGateway(t, func(c *config.Config) {
			c.Threads = 1
			if !splice {
				c.HTTP.SpliceThreshold = 0
			}
		}, Options{})
		for _, size := range []int{0, 1, 4 << 10, 16 << 10, scratchSize - 100, scratchSize - 40, scratchSize, scratchSize + 1, 2 * scratchSize, 256 << 10, 1 << 20} {
			t.Run(fmt.Sprintf("%d bytes, splice %v", size, splice), func(t *testing.T) {
				body := string(pattern(size))
				head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
				if size == scratchSize {
					// The first read ends exactly with the body.
					body = body[:size-len(head)]
					head = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
				}
				g.serve(nil, faultyBackend(t, func(c *wire) bool {
					c.send(head + body + strings.Repeat(evil, 3))
					c.rest()
					return false
				}))
				for range 3 {
					c := newWire(t, g.dial())
					if got := c.get("/bad"); got.body != body || got.cut != nil {
						t.Errorf("got %d bytes, %v, want %d", len(got.body), got.cut, len(body))
					}
					g.wantFine(t, c, true)
				}
			})
		}
	}
}

// TestBodilessResponsesWithBodies has a Backend send a body where none may be.
func TestBodilessResponsesWithBodies(t *testing.T) {
	for _, tt := range []struct{ method, head string }{
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
	} {
		t.Run(tt.method+" "+tt.head[9:12], func(t *testing.T) {
			g := newGateway(t, nil, Options{})
			g.serve(nil, faultyBackend(t, func(c *wire) bool {
				c.send(tt.head + evil)
				c.rest()
				return false
			}))
			c := g.wire()
			c.send("%s /bad HTTP/1.1\r\nHost: a\r\n\r\n", tt.method)
			got := c.read(tt.method)
			if got.StatusCode == 0 || got.body != "" {
				t.Errorf("got %d %q %v", got.StatusCode, got.body, got.cut)
			}
			if got.StatusCode == 204 && (got.Header.Get("Content-Length") != "" || len(got.TransferEncoding) > 0) {
				t.Errorf("a 204 says how long it is: %v %v", got.Header, got.TransferEncoding)
			}
			g.wantFine(t, c, true)
		})
	}
}

// TestBodilessResponseThenBodyLate is the same with the body in a later segment, when the connection
// may be idle or in another's hands.
func TestBodilessResponseThenBodyLate(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	closed := make(chan struct{})
	g.serve(nil, faultyBackend(t, func(c *wire) bool {
		c.send(okResponse("first"))
		g.settle() // the client has it, the connection is idle
		c.send(evil)
		c.rest()
		close(closed)
		return false
	}))
	c := g.wire()
	if got := c.get("/bad"); got.body != "first" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	<-closed // unsolicited bytes end an idle connection at once
	g.wantFine(t, c, true)
}

// TestInterimResponses relays 1xx heads in order, but to HTTP/1.0 clients, and bounds them.
func TestInterimResponses(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
	for _, tt := range []struct {
		name, raw string
		interim   []string
		status    int
	}{
		{"103 then 200", hints + okResponse("fine"), []string{"103 Early Hints"}, 200},
		{"two 100", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 2) + okResponse("fine"), []string{"100 Continue", "100 Continue"}, 200},
		{"100, 102, 103", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + hints + okResponse("fine"), []string{"100 Continue", "102 Processing", "103 Early Hints"}, 200},
		{"fifty", strings.Repeat(hints, 50) + okResponse("fine"), nil, 200},
		{"without end", strings.Repeat(hints, 1000) + okResponse("fine"), nil, 502},
		{"103 with Content-Length", "HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nEVIL" + okResponse("fine"), []string{"103 Early Hints"}, 502},
		{"103 and no more", hints, []string{"103 Early Hints"}, 502},
		{"101 unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + evil, nil, 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, nil, Options{})
			g.serve(nil, faultyBackend(t, func(c *wire) bool {
				c.send(tt.raw)
				return tt.status == 200
			}))
			c := g.wire()
			c.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
			for _, want := range tt.interim {
				head := c.head()
				if !strings.HasPrefix(head, "HTTP/1.1 "+want+"\r\n") || strings.Contains(head, "Content-Length") {
					t.Errorf("got %q, want %s", head, want)
				}
				if strings.HasPrefix(want, "103") && tt.status == 200 && !strings.Contains(head, "Link: </a>") {
					t.Errorf("the hint is lost: %q", head)
				}
			}
			got := c.read("GET") // passes over interim responses itself
			if got.StatusCode != tt.status || tt.status == 200 && got.body != "fine" {
				t.Errorf("got %d %q", got.StatusCode, got.body)
			}
			g.wantFine(t, c, true)

			old := g.wire()
			old.send("GET /bad HTTP/1.0\r\n\r\n")
			text, _ := old.rest()
			if strings.Contains(text, "HTTP/1.1 10") || !strings.Contains(text, fmt.Sprint("HTTP/1.1 ", tt.status)) {
				t.Errorf("an HTTP/1.0 client got %q", text)
			}
		})
	}
}

// TestResponseBeforeTheRequestIsWhole: the answer goes through, the client is told that the
// connection ends, and the Endpoint's connection, on which a body is outstanding, serves nobody else.
func TestResponseBeforeTheRequestIsWhole(t *testing.T) {
	for _, body := range []string{"Content-Length: 100000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		g := newGateway(t, nil, Options{})
		g.serve(nil, faultyBackend(t, func(c *wire) bool {
			c.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			c.rest()
			return false
		}))
		c := g.wire()
		c.send("POST /bad HTTP/1.1\r\nHost: a\r\n" + body)
		got := c.read("POST")
		if got.StatusCode != 403 || got.body != "no" || !got.Close {
			t.Errorf("got %d %q, close %v", got.StatusCode, got.body, got.Close)
		}
		c.wantClosed()
		g.wantFine(t, c, false)
	}
}

// TestEarlyAnswerAndReset: a Backend that answers, and closes without reading the body, resets the
// connection; its answer was there first and is the one that counts.
func TestEarlyAnswerAndReset(t *testing.T) {
	for _, threshold := range []config.Size{0, 64 << 10} {
		g := newGateway(t, func(c *config.Config) {
			c.Threads = 1
			c.Limits.BodyBytes = 0
			c.HTTP.SpliceThreshold = threshold
		}, Options{})
		g.serve(nil, faultyBackend(t, func(c *wire) bool {
			c.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
			return false
		}))
		for range 20 {
			c := g.wire()
			c.send("POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
			go c.Write(make([]byte, 50_000_000))
			if got := c.read("POST"); got.StatusCode != 413 || got.body != "no" {
				t.Errorf("splice from %d: got %d %q %v", threshold, got.StatusCode, got.body, got.cut)
			}
			c.Close()
		}
		g.wantFine(t, nil, false)
	}
}

// TestTruncatedResponses cuts responses of every framing short, by FIN and by reset, at sizes that are
// copied and that are spliced: none may look complete to the client.
func TestTruncatedResponses(t *testing.T) {
	half := string(pattern(300_000))
	g := newGateway(t, nil, Options{})
	for _, tt := range []struct {
		name, head string
		reset      bool
		status     int
	}{
		{"length, FIN", "HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n", false, 200},
		{"length, reset", "HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n", true, 200},
		{"chunk, FIN", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", false, 200},
		{"chunk, reset", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", true, 200},
		{"until close, reset", "HTTP/1.1 200 OK\r\n\r\n", true, 200},
		{"HTTP/1.0 until close, reset", "HTTP/1.0 200 OK\r\n\r\n", true, 200},
	} {
		for _, version := range []string{"1.0", "1.1"} {
			t.Run(tt.name+", client "+version, func(t *testing.T) {
				begun := make(chan struct{})
				g.serve(nil, faultyBackend(t, func(c *wire) bool {
					c.send(tt.head + half)
					<-begun // before that, an answer of the gateway's own would be right
					if tt.reset {
						c.SetLinger(0)
					}
					return false
				}))
				c := g.wire()
				c.send("GET /bad HTTP/%s\r\nHost: a\r\n\r\n", version)
				head := c.head()
				close(begun)
				text, reset := c.rest()
				resp := newAnswer(head+text, "GET")
				if resp.cut == nil && !reset {
					t.Errorf("%d bytes of body look complete", len(resp.body))
				}
				g.wantFine(t, nil, false)
			})
		}
	}
}
