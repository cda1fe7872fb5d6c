package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// shout makes letters upper case and puts marks around a body; a body with "!" in it makes no sense.
type shout struct {
	mark  string
	begun bool
	open  *atomic.Int64
}

func (s *shout) Feed(dst, p []byte, last bool) ([]byte, bool) {
	if !s.begun {
		s.begun = true
		dst = append(append(dst, '<'), s.mark...)
	}
	dst = append(dst, bytes.ToUpper(p)...)
	if last {
		dst = append(append(dst, s.mark...), '>')
	}
	return dst, !bytes.Contains(p, []byte("!"))
}

func (s *shout) Close() { s.open.Add(-1) }

// shoutTrailers takes the field x-sum into the body.
type shoutTrailers struct{ shout }

func (s *shoutTrailers) Trailers(dst, lines []byte) (out, rest []byte) {
	for _, line := range strings.SplitAfter(string(lines), "\r\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && strings.EqualFold(name, "x-sum") {
			dst = append(append(dst, "sum="...), strings.TrimSpace(value)...)
		} else {
			rest = append(rest, line...)
		}
	}
	return dst, rest
}

type shouting struct {
	mark     string
	trailers bool
	open     *atomic.Int64
}

func (s shouting) Name() string { return "shouting" }

func (s shouting) RequestBody(*Exchange) Transform {
	s.open.Add(1)
	return &shout{mark: s.mark, open: s.open}
}

func (s shouting) ResponseBody(_ *Exchange, r *Response) Transform {
	if r.Field("X-Leave") != nil {
		return nil
	}
	r.Set("X-Shout"+s.mark, "yes")
	s.open.Add(1)
	if s.trailers {
		return &shoutTrailers{shout{mark: s.mark, open: s.open}}
	}
	return &shout{mark: s.mark, open: s.open}
}

// TestTransforms: bodies of every form pass through two transforms in both directions, in every pairing.
func TestTransforms(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	filters := []Filter{shouting{"1", false, &open}, shouting{"2", true, &open}}
	big := strings.Repeat("abcdefgh", servertest.Times(400, 100)<<10)
	app := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/echo":
			if r.ContentLength >= 0 && len(body) > 0 {
				t.Errorf("the Backend was told a length of %d", r.ContentLength)
			}
			_, _ = w.Write(body)
		case "/big":
			_, _ = io.WriteString(w, big)
		case "/sized":
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			_, _ = io.WriteString(w, big)
		case "/small":
			_, _ = io.WriteString(w, "small")
		case "/leave":
			w.Header().Set("X-Leave", "1")
			_, _ = io.WriteString(w, "left")
		case "/204":
			w.WriteHeader(204)
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum, X-Other")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Sum", "7")
			w.Header().Set("X-Other", "stays")
		case "/cut":
			_, _ = io.WriteString(w, "some")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	answered := func(body string) string { return "<1<2" + strings.ToUpper(body) + "2>1>" }
	through(t, Options{Filters: filters}, app, func(t *testing.T, g *gateway, c *http.Client, base string) {
		for range servertest.Times(2, 1) {
			for _, row := range []struct{ path, want string }{
				{"/small", answered("small")}, {"/big", answered(big)}, {"/sized", answered(big)}, {"/leave", "left"}, {"/204", ""},
			} {
				resp, body := ask(t, c, "GET", base+row.path, nil)
				if body != row.want || resp.ContentLength >= 0 && resp.ContentLength != int64(len(row.want)) {
					t.Errorf("%s: %d bytes %.30q, length %d", row.path, len(body), body, resp.ContentLength)
				}
				if head, _ := ask(t, c, "HEAD", base+row.path, nil); row.path != "/leave" && (head.ContentLength >= 0 || head.Header.Get("X-Shout1") != "yes" && row.path != "/204") {
					t.Errorf("HEAD %s: length %d, %v", row.path, head.ContentLength, head.Header)
				}
			}
			for _, body := range []string{"hello", strings.Repeat("wxyz", 100<<10)} {
				want := answered("<2<1" + strings.ToUpper(body) + "1>2>")
				if _, got := ask(t, c, "POST", base+"/echo", strings.NewReader(body)); got != want {
					t.Errorf("echo of %d: %d bytes %.40q", len(body), len(got), got)
				}
				if _, got := ask(t, c, "POST", base+"/echo", io.MultiReader(strings.NewReader(body[:2]), strings.NewReader(body[2:]))); got != want {
					t.Errorf("echo of %d in pieces: %d bytes %.40q", len(body), len(got), got)
				}
			}
			if resp, _ := ask(t, c, "POST", base+"/echo", strings.NewReader("what!")); resp.StatusCode != 400 {
				t.Errorf("a body that makes no sense: %d", resp.StatusCode)
			}
			resp, body := ask(t, c, "GET", base+"/trailers", nil)
			if body != "<1<2BODYSUM=72>1>" || resp.Trailer.Get("X-Other") != "stays" || resp.Trailer.Get("X-Sum") != "" {
				t.Errorf("trailers: %q, %v", body, resp.Trailer)
			}
			if resp, err := c.Get(base + "/cut"); err == nil {
				if body, err := io.ReadAll(resp.Body); err == nil {
					t.Errorf("a response that was cut came as whole: %q", body)
				}
				resp.Body.Close()
			}
		}
		old := g.wire()
		old.Send("GET /small HTTP/1.0\r\n\r\n")
		if text, _ := old.Rest(); !strings.HasSuffix(text, "\r\n\r\n"+answered("small")) {
			t.Errorf("HTTP/1.0: %q", text)
		}
	})
	if n := open.Load(); n != 0 {
		t.Errorf("%d transforms were not closed", n)
	}
}

// broken panics in one of its phases.
type broken struct{ where string }

func (b broken) Name() string { return "broken" }

func (b broken) at(where string) {
	if b.where == where {
		panic("boom")
	}
}

func (b broken) RequestBody(*Exchange) Transform {
	b.at("request")
	return brokenBody{b, "request"}
}

func (b broken) ResponseBody(*Exchange, *Response) Transform {
	b.at("response")
	return brokenBody{b, "response"}
}

type brokenBody struct {
	broken
	of string
}

func (b brokenBody) Feed(dst, p []byte, _ bool) ([]byte, bool) {
	b.at("feed " + b.of)
	return append(dst, p...), true
}

func (b brokenBody) Close() { b.at("close " + b.of) }

// TestTransformsPanic: it costs the request that the body is of, and the loop goes on.
func TestTransformsPanic(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		where string
		want  string // status and whether the body is whole
	}{
		{"request", "500 true"}, {"response", "500 true"}, {"feed request", "500 true"}, {"feed response", "200 false"},
		{"close request", "200 true"}, {"close response", "200 true"},
	} {
		g, c := filtered(t, nil, broken{row.where})
		for range 2 {
			c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
			got := c.ReadAnswer("POST")
			if s := fmt.Sprint(got.StatusCode, " ", got.Cut == nil); s != row.want {
				t.Errorf("%s: got %s, want %s", row.where, s, row.want)
			}
			c = g.wire()
		}
	}
}
