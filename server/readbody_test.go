package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// bodyReader has the body read up to limit bytes, and tells the Backend what it saw. In between it parks, for paths that say
// so, and it answers for those that say so.
func bodyReader(limit int64) *plug {
	return onRequest(func(x *Exchange) Verdict {
		return x.ReadBody(limit, func(x *Exchange, body []byte, whole bool) Verdict {
			saw := fmt.Sprintf("%d %v %s", len(body), whole, digest(body))
			tell := func(x *Exchange) Verdict {
				x.AddRequestField("X-Saw", saw)
				x.AddResponseField("X-Saw", saw)
				if strings.HasPrefix(string(x.Path()), "/refuse") {
					return x.Refuse(403, "no")
				}
				return Continue
			}
			if strings.HasSuffix(string(x.Path()), "/park") {
				return x.Park(func(context.Context) func(*Exchange) Verdict { return tell })
			}
			return tell(x)
		})
	})
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4])
}

// TestReadBody: a Filter sees the body before the Backend does, in whatever framing and pieces it comes, and the Backend gets
// all of it, once.
func TestReadBody(t *testing.T) {
	t.Parallel()
	const limit = 200 << 10
	app := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d %s %v %q", r.Header["X-Saw"], len(body), digest(body), err, r.Trailer["X-T"])
	}
	through(t, Options{Filters: []Filter{bodyReader(limit)}}, app, func(t *testing.T, g *gateway, c *http.Client, base string) {
		for _, size := range []int{0, 1, 100, 20 << 10, limit - 1, limit, limit + 1, 700 << 10} {
			body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			saw, whole := body, true
			if size > limit {
				saw, whole = body[:limit], false
			}
			want := fmt.Sprintf("%d %v %s", len(saw), whole, digest(saw))
			for _, kind := range []string{"length", "stream", "trailers"} {
				for _, path := range []string{"/", "/park", "/refuse", "/refuse/park"} {
					var from io.Reader = bytes.NewReader(body)
					if kind != "length" {
						from = io.MultiReader(from) // whose length the client does not know
					}
					req, err := http.NewRequest("POST", base+path, from)
					if err != nil {
						t.Fatal(err)
					}
					trailer := []string(nil)
					if kind == "trailers" && size > 0 {
						trailer = []string{"end"}
						req.Trailer = http.Header{"X-T": trailer}
					}
					resp, err := c.Do(req)
					if err != nil {
						t.Errorf("%d bytes, %s, %s: %v", size, kind, path, err)
						continue
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					text := fmt.Sprintf("[%s] %d %s <nil> %q", want, size, digest(body), trailer)
					status := 200
					if strings.HasPrefix(path, "/refuse") {
						text, status = "403 forbidden: no\n", 403
					}
					if err != nil || resp.StatusCode != status || string(got) != text || resp.Header.Get("X-Saw") != want {
						t.Errorf("%d bytes, %s, %s: got %d %q %v, want %d %q", size, kind, path, resp.StatusCode, got, resp.Header["X-Saw"], status, text)
					}
				}
			}
		}
	})
}

// TestReadBodyByteByByte: pieces as small as they come, and the next request on the same connection.
func TestReadBodyByteByByte(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{bodyReader(100)}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q", r.Header["X-Saw"], body, r.Trailer["X-T"])
	}))
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"POST /park HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: end\r\n\r\n",
	} {
		c := g.wire()
		for i := range request {
			c.Send(request[i : i+1])
			g.settle()
		}
		want := fmt.Sprintf("[5 true %s] hello []", digest([]byte("hello")))
		if strings.Contains(request, "X-T") {
			want = strings.TrimSuffix(want, "[]") + `["end"]`
		}
		if got := c.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != want {
			t.Errorf("%q: got %d %q, want %q", request, got.StatusCode, got.Text, want)
		}
		// In one piece, with another behind it.
		c.Send(request + request)
		for range 2 {
			if got := c.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != want {
				t.Errorf("%q: got %d %q, want %q", request, got.StatusCode, got.Text, want)
			}
		}
	}
}

// TestReadBodyFaults: a client that sends nothing more, too much, something malformed, or leaves, costs its request.
func TestReadBodyFaults(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	g := newGateway(t, func(c *config.Config) {
		c.Threads = 1
		c.Timeouts.Body = config.Duration(300 * time.Millisecond)
		c.Limits.BodyBytes = 1000
	}, Options{Filters: []Filter{bodyReader(10000)}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	for _, row := range []struct {
		name, request string
		status        int
	}{
		{"silence", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", 408},
		{"silence in chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 408},
		{"too much", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + strings.Repeat("x", 1024) + "\r\n", 413},
		{"malformed", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n", 400},
	} {
		c := g.wire()
		head, rest, _ := strings.Cut(row.request, "\r\n\r\n")
		c.Send(head + "\r\n\r\n")
		g.settle()
		c.Send(rest)
		if got := c.ReadAnswer("POST"); got.StatusCode != row.status {
			t.Errorf("%s: got %d %q, want %d", row.name, got.StatusCode, got.Text, row.status)
		}
	}
	// Clients that leave, in both ways.
	for _, reset := range []bool{true, false} {
		c := g.wire()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
		g.settle()
		if reset {
			c.SetLinger(0)
		}
		c.Close()
	}
	servertest.Until(t, "the end of every Exchange", func() bool { return g.openExchanges() == 0 })
	select {
	case path := <-asked:
		t.Errorf("the Backend was asked for %s", path)
	default:
	}
	if n := g.held(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// TestReadBodyContinue: a client that waits for 100 is sent it, once a Filter wants the body.
func TestReadBodyContinue(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{bodyReader(100)}})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	c := g.wire()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(interim))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != interim {
		t.Fatalf("got %q, %v", got, err)
	}
	c.Send("hello")
	if got := c.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != "hello" {
		t.Errorf("got %d %q", got.StatusCode, got.Text)
	}
}

// TestReadBodyMisused: outside the request phase it fails the request, and a second call for one request is none.
func TestReadBodyMisused(t *testing.T) {
	t.Parallel()
	never := func(*Exchange, []byte, bool) Verdict { t.Error("it was called"); return Continue }
	for name, f := range map[string]*plug{
		"response": onResponse(func(x *Exchange, _ *Response) Verdict { return x.ReadBody(10, never) }),
		"panic": onRequest(func(x *Exchange) Verdict {
			return x.ReadBody(10, func(*Exchange, []byte, bool) Verdict { panic("boom") })
		}),
		"no verdict": onRequest(func(x *Exchange) Verdict {
			return x.ReadBody(10, func(*Exchange, []byte, bool) Verdict { return Respond })
		}),
	} {
		_, c := filtered(t, nil, f)
		for _, request := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"} {
			c.Send(request)
			if got := c.ReadAnswer("POST"); got.StatusCode != 500 {
				t.Errorf("%s: got %d %q", name, got.StatusCode, got.Text)
			}
		}
	}
	g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
		x.ReadBody(10, func(*Exchange, []byte, bool) Verdict { return Continue })
		return x.ReadBody(10, never)
	}))
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
	g.settle()
	c.Send("ab")
	if got := c.ReadAnswer("POST"); got.StatusCode != 200 {
		t.Errorf("got %d %q", got.StatusCode, got.Text)
	}
}
