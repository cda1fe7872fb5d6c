package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// second is what stands behind each request of the corpus: an attacker's hidden request, or a pipelining client's next one.
const second = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

// corpusGateway has the corpus' limits where they differ from the defaults.
func corpusGateway(t *testing.T) (*gateway, *servertest.Targets) {
	seen := &servertest.Targets{}
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(r.RequestURI)
		if _, err := io.ReadAll(r.Body); err == nil {
			io.WriteString(w, "served")
		}
	})
	g := newGateway(t, func(c *config.Config) { c.Limits.HeaderCount = h1test.MaxFields }, Options{})
	g.serve(nil, app)
	return g, seen
}

// prefaceCase is the one malformed request that a listener takes for the beginning of something else.
const prefaceCase = "HTTP/2 preface"

// TestRefusedRequests sends every malformed request of the corpus, as it is and with another behind it: one answer with the
// right status, the end of the connection, and nothing smuggled.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	g, seen := corpusGateway(t)
	for _, tt := range h1test.Requests {
		if tt.Name == prefaceCase {
			continue // not refused where HTTP/2 is spoken: see TestPriorKnowledge
		}
		t.Run(tt.Name, func(t *testing.T) {
			before := seen.Count()
			for _, raw := range []string{tt.Raw, tt.Raw + second} {
				c := servertest.NewWire(t, g.dial())
				c.Send(raw)
				got := c.ReadAnswer("GET")
				if got.StatusCode != tt.Status || got.Cut != nil {
					t.Errorf("status %d, %v, want %d", got.StatusCode, got.Cut, tt.Status)
				}
				if !got.Close {
					t.Error("the answer does not say Connection: close")
				}
				c.WantClosed()
			}
			if !tt.Body && seen.Count() != before {
				t.Errorf("the Backend saw it: %v", seen)
			}
		})
	}
	for _, target := range []string{"/smuggled", "/admin"} {
		if seen.Has(target) {
			t.Errorf("the Backend saw %s", target)
		}
	}
}

// TestRefusedRequestsBehindGoodOnes is the same on a connection that has served a request: the good one is answered first,
// and in order.
func TestRefusedRequestsBehindGoodOnes(t *testing.T) {
	t.Parallel()
	g, seen := corpusGateway(t)
	for _, tt := range h1test.Requests {
		c := servertest.NewWire(t, g.dial())
		c.Send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + tt.Raw + second)
		if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.Text != "served" {
			t.Errorf("%s: first answer %d %q", tt.Name, got.StatusCode, got.Text)
		}
		if got := c.ReadAnswer("GET"); got.StatusCode != tt.Status {
			t.Errorf("%s: status %d, want %d", tt.Name, got.StatusCode, tt.Status)
		}
		c.WantClosed()
	}
	if seen.Has("/smuggled") || seen.Has("/admin") {
		t.Error("the Backend saw a smuggled request")
	}
}

// TestAcceptedRequests sends what is at the edge of the rules and allowed, with another request behind it.
func TestAcceptedRequests(t *testing.T) {
	t.Parallel()
	g, _ := corpusGateway(t)
	for _, tt := range h1test.Accepted {
		t.Run(tt.Name, func(t *testing.T) {
			c := servertest.NewWire(t, g.dial())
			c.Send(tt.Raw)
			got := c.ReadAnswer("GET")
			if got.StatusCode != tt.Status || got.Text != "served" {
				t.Errorf("status %d %q, want %d", got.StatusCode, got.Text, tt.Status)
			}
			if got.Close {
				c.WantClosed()
				return
			}
			if got := c.Get("/next"); got.StatusCode != 200 {
				t.Errorf("the next request got %d, %v", got.StatusCode, got.Cut)
			}
		})
	}
}

// TestSplitRequest sends a request with a chunked body and one behind it in two parts, split at every byte, each part
// handled before the next is sent; and once byte by byte.
func TestSplitRequest(t *testing.T) {
	t.Parallel()
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-A")+" "+string(b)+" "+r.Trailer.Get("X-T"))
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	text := "\r\nPOST /p?q HTTP/1.1\r\nHost: a\r\nX-A: b c\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" +
		"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n" +
		"PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz"
	check := func(c *servertest.Wire, how string, at int) {
		if got := c.ReadAnswer("POST"); got.Text != "POST /p?q b c abcde t" {
			t.Fatalf("%s at %d: %d %q", how, at, got.StatusCode, got.Text)
		}
		if got := c.ReadAnswer("PUT"); got.Text != "PUT /2  xyz " {
			t.Fatalf("%s at %d: second answer %d %q", how, at, got.StatusCode, got.Text)
		}
	}
	for at := 1; at < len(text); at++ {
		c := g.wire()
		c.Send(text[:at])
		g.settle()
		c.Send(text[at:])
		check(c, "split", at)
		c.Close()
	}
	c := g.wire()
	for i := range text {
		c.Send(text[i : i+1])
		g.settle()
	}
	check(c, "bytes", 0)
}

// TestPipelinedMixture pipelines bodies of both forms, HEAD, an answer of the gateway's own and one without body, in one
// write, and gets the answers in order.
func TestPipelinedMixture(t *testing.T) {
	t.Parallel()
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method == "DELETE" {
			w.WriteHeader(204)
			return
		}
		io.WriteString(w, r.RequestURI+string(b))
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	round := "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok" +
		"HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" +
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + // no Route is asked
		"DELETE /d HTTP/1.1\r\nHost: a\r\n\r\n" +
		"GET /e HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n"
	const rounds = 200
	c := g.wire()
	go c.Send(strings.Repeat(round, rounds))
	for i := range rounds {
		for _, want := range []struct {
			method string
			status int
			body   string
		}{{"POST", 200, "/aok"}, {"HEAD", 200, ""}, {"POST", 200, "/cok"}, {"OPTIONS", 404, ""}, {"DELETE", 204, ""}, {"GET", 417, ""}} {
			got := c.ReadAnswer(want.method)
			if got.StatusCode != want.status || got.Cut != nil || want.status == 200 && got.Text != want.body {
				t.Fatalf("round %d: %s got %d %q %v", i, want.method, got.StatusCode, got.Text, got.Cut)
			}
		}
	}
}
