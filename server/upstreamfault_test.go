package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// TestMalformedResponses sends every response of the corpus, in one piece and byte by byte, with another response behind it:
// a fault in the head is 502, one in the body cuts the client off, and the response behind it reaches no client.
func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	for i, tt := range h1test.Responses {
		for _, bytewise := range []bool{false, true} {
			if bytewise && i%servertest.Times(1, 4) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s, bytewise %v", tt.Name, bytewise), func(t *testing.T) {
				g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
					raw := tt.Raw
					if !tt.Close {
						raw += servertest.Evil
					}
					if bytewise && len(raw) < 1000 {
						for i := range raw {
							c.Send(raw[i : i+1])
							g.settle()
						}
					} else {
						c.Send(raw)
					}
					if !tt.Close {
						c.Rest() // the gateway must be the one to close
					}
					return false
				}))
				c := servertest.NewWire(t, g.dial())
				got := c.Get("/bad")
				switch {
				case strings.Contains(got.Text, "EVIL"):
					t.Errorf("the client got another's response: %q", got.Text)
				case tt.Body && (got.StatusCode != 200 || got.Cut == nil):
					t.Errorf("got %d %q as if complete, want it cut", got.StatusCode, got.Text)
				case !tt.Body && (got.StatusCode != 502 || got.Cut != nil):
					t.Errorf("got %d %q %v, want 502", got.StatusCode, got.Text, got.Cut)
				}
				g.wantFine(t, c, !tt.Body && !got.Close)
			})
		}
	}
}

// TestBytesBehindAResponse has a Backend send more than it announced, at the sizes where the gateway's reads and splices
// end: the client gets the announced bytes, and no client the rest.
func TestBytesBehindAResponse(t *testing.T) {
	t.Parallel()
	for _, splice := range []bool{false, true} {
		g := newGateway(t, func(c *config.Config) {
			c.Threads = 1
			if !splice {
				c.HTTP.SpliceThreshold = 0
			}
		}, Options{})
		for _, size := range []int{0, 1, 4 << 10, 16 << 10, wire.ScratchSize - 100, wire.ScratchSize - 40, wire.ScratchSize, wire.ScratchSize + 1, 2 * wire.ScratchSize, 256 << 10, 1 << 20} {
			t.Run(fmt.Sprintf("%d bytes, splice %v", size, splice), func(t *testing.T) {
				body := string(servertest.Pattern(size))
				head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
				if size == wire.ScratchSize {
					// The first read ends exactly with the body.
					body = body[:size-len(head)]
					head = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
				}
				g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
					c.Send(head + body + strings.Repeat(servertest.Evil, 3))
					c.Rest()
					return false
				}))
				for range servertest.Times(3, 1) {
					c := servertest.NewWire(t, g.dial())
					if got := c.Get("/bad"); got.Text != body || got.Cut != nil {
						t.Errorf("got %d bytes, %v, want %d", len(got.Text), got.Cut, len(body))
					}
					g.wantFine(t, c, true)
				}
			})
		}
	}
}

// TestBodilessResponsesWithBodies has a Backend send a body where none may be.
func TestBodilessResponsesWithBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ method, head string }{
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
	} {
		t.Run(tt.method+" "+tt.head[9:12], func(t *testing.T) {
			g := newGateway(t, nil, Options{})
			g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
				c.Send(tt.head + servertest.Evil)
				c.Rest()
				return false
			}))
			c := g.wire()
			c.Send("%s /bad HTTP/1.1\r\nHost: a\r\n\r\n", tt.method)
			got := c.ReadAnswer(tt.method)
			if got.StatusCode == 0 || got.Text != "" {
				t.Errorf("got %d %q %v", got.StatusCode, got.Text, got.Cut)
			}
			if got.StatusCode == 204 && (got.Header.Get("Content-Length") != "" || len(got.TransferEncoding) > 0) {
				t.Errorf("a 204 says how long it is: %v %v", got.Header, got.TransferEncoding)
			}
			g.wantFine(t, c, true)
		})
	}
}

// TestBodilessResponseThenBodyLate is the same with the body in a later segment, when the connection may be idle or in
// another's hands.
func TestBodilessResponseThenBodyLate(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	closed := make(chan struct{})
	g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
		c.Send(servertest.OKResponse("first"))
		g.settle() // the client has it, the connection is idle
		c.Send(servertest.Evil)
		c.Rest()
		close(closed)
		return false
	}))
	c := g.wire()
	if got := c.Get("/bad"); got.Text != "first" {
		t.Errorf("got %d %q", got.StatusCode, got.Text)
	}
	<-closed // unsolicited bytes end an idle connection at once
	g.wantFine(t, c, true)
}

// TestInterimResponses relays 1xx heads in order, but to HTTP/1.0 clients, and bounds them.
func TestInterimResponses(t *testing.T) {
	t.Parallel()
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
	for _, tt := range []struct {
		name, raw string
		interim   []string
		status    int
	}{
		{"103 then 200", hints + servertest.OKResponse("fine"), []string{"103 Early Hints"}, 200},
		{"two 100", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 2) + servertest.OKResponse("fine"), []string{"100 Continue", "100 Continue"}, 200},
		{"100, 102, 103", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + hints + servertest.OKResponse("fine"), []string{"100 Continue", "102 Processing", "103 Early Hints"}, 200},
		{"fifty", strings.Repeat(hints, 50) + servertest.OKResponse("fine"), nil, 200},
		{"without end", strings.Repeat(hints, 1000) + servertest.OKResponse("fine"), nil, 502},
		{"103 with Content-Length", "HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nEVIL" + servertest.OKResponse("fine"), []string{"103 Early Hints"}, 502},
		{"103 and no more", hints, []string{"103 Early Hints"}, 502},
		{"101 unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + servertest.Evil, nil, 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, nil, Options{})
			g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
				c.Send(tt.raw)
				return tt.status == 200
			}))
			c := g.wire()
			c.Send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
			for _, want := range tt.interim {
				head := c.Head()
				if !strings.HasPrefix(head, "HTTP/1.1 "+want+"\r\n") || strings.Contains(head, "Content-Length") {
					t.Errorf("got %q, want %s", head, want)
				}
				if strings.HasPrefix(want, "103") && tt.status == 200 && !strings.Contains(head, "Link: </a>") {
					t.Errorf("the hint is lost: %q", head)
				}
			}
			got := c.ReadAnswer("GET") // passes over interim responses itself
			if got.StatusCode != tt.status || tt.status == 200 && got.Text != "fine" {
				t.Errorf("got %d %q", got.StatusCode, got.Text)
			}
			g.wantFine(t, c, true)

			old := g.wire()
			old.Send("GET /bad HTTP/1.0\r\n\r\n")
			text, _ := old.Rest()
			if strings.Contains(text, "HTTP/1.1 10") || !strings.Contains(text, fmt.Sprint("HTTP/1.1 ", tt.status)) {
				t.Errorf("an HTTP/1.0 client got %q", text)
			}
		})
	}
}

// TestResponseBeforeTheRequestIsWhole: the answer goes through, the client is told that the connection ends, and the
// Endpoint's connection, on which a body is outstanding, serves no other request.
func TestResponseBeforeTheRequestIsWhole(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"Content-Length: 100000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		g := newGateway(t, nil, Options{})
		g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
			c.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			c.Rest()
			return false
		}))
		c := g.wire()
		c.Send("POST /bad HTTP/1.1\r\nHost: a\r\n" + body)
		got := c.ReadAnswer("POST")
		if got.StatusCode != 403 || got.Text != "no" || !got.Close {
			t.Errorf("got %d %q, close %v", got.StatusCode, got.Text, got.Close)
		}
		c.WantClosed()
		g.wantFine(t, c, false)
	}
}

// TestEarlyAnswerAndReset: a Backend that answers, and closes without reading the body, resets the connection; its answer
// was there first and is the one that counts.
func TestEarlyAnswerAndReset(t *testing.T) {
	t.Parallel()
	for _, threshold := range []config.Size{0, 64 << 10} {
		g := newGateway(t, func(c *config.Config) {
			c.Threads = 1
			c.Limits.BodyBytes = 0
			c.HTTP.SpliceThreshold = threshold
		}, Options{})
		g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
			c.Send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
			return false
		}))
		for range servertest.Times(20, 5) {
			c := g.wire()
			c.Send("POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
			go c.Write(make([]byte, 50_000_000))
			if got := c.ReadAnswer("POST"); got.StatusCode != 413 || got.Text != "no" {
				t.Errorf("splice from %d: got %d %q %v", threshold, got.StatusCode, got.Text, got.Cut)
			}
			c.Close()
		}
		g.wantFine(t, nil, false)
	}
}

// TestTruncatedResponses cuts responses of every framing short, by FIN and by reset, at sizes that are copied and that are
// spliced: none may look complete to the client.
func TestTruncatedResponses(t *testing.T) {
	t.Parallel()
	half := string(servertest.Pattern(300_000))
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
				g.serve(nil, servertest.FaultyBackend(t, func(c *servertest.Wire) bool {
					c.Send(tt.head + half)
					<-begun // before that, an answer of the gateway's own would be right
					if tt.reset {
						c.SetLinger(0)
					}
					return false
				}))
				c := g.wire()
				c.Send("GET /bad HTTP/%s\r\nHost: a\r\n\r\n", version)
				head := c.Head()
				close(begun)
				text, reset := c.Rest()
				resp := servertest.NewAnswer(head+text, "GET")
				if resp.Cut == nil && !reset {
					t.Errorf("%d bytes of body look complete", len(resp.Text))
				}
				g.wantFine(t, nil, false)
			})
		}
	}
}
