package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestPairings sends the same exchanges through every pairing of protocols, with net/http as client and Backend.
func TestPairings(t *testing.T) {
	t.Parallel()
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hello":
			fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.Header.Get("Cookie"))
		case "/echo":
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
			body, _ := io.ReadAll(r.Body) // net/http does not write an HTTP/1 response while it reads
			_, _ = w.Write(body)
			w.(http.Flusher).Flush() // so that there can be trailers
			for k, v := range r.Trailer {
				w.Header().Set(http.TrailerPrefix+"Echo-"+k, v[0])
			}
		case "/big":
			_, _ = w.Write(big)
		case "/sized":
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			_, _ = w.Write(big)
		case "/nothing":
			w.WriteHeader(204)
		case "/early":
			w.WriteHeader(403)
		case "/cut":
			_, _ = w.Write([]byte("some"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/hints":
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			_, _ = w.Write([]byte("hinted"))
		}
	})
	clear, secure := servertest.StartBackend(t, false, handler), servertest.StartBackend(t, true, handler)
	for _, p := range servertest.Pairings {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, nil, Options{})
			backend := clear
			if p.Protocol == routing.HTTPS || p.Protocol == routing.GRPCS {
				backend = secure
			}
			g.serveProtocol(p.Protocol, backend)
			c := p.Down(t)
			base := "http://" + g.addr
			if p.Scheme == "https" {
				base = "https://" + g.secureAddr
			}
			get := func(method, path string, body io.Reader) (*http.Response, string) {
				t.Helper()
				req, _ := http.NewRequest(method, base+path, body)
				req.Header.Set("Cookie", "a=1; b=2")
				resp, err := c.Do(req)
				if err != nil {
					t.Fatalf("%s %s: %v", method, path, err)
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Errorf("%s %s: read: %v", method, path, err)
				}
				return resp, string(got)
			}
			for range 3 {
				if resp, got := get("GET", "/hello", nil); resp.StatusCode != 200 || !strings.HasPrefix(got, "GET 127.0.0.1") || !strings.HasSuffix(got, "a=1; b=2") {
					t.Errorf("hello: %d %q", resp.StatusCode, got)
				}
			}
			if resp, got := get("HEAD", "/sized", nil); resp.ContentLength != int64(len(big)) || got != "" {
				t.Errorf("head: length %d, body %q", resp.ContentLength, got)
			}
			if _, got := get("POST", "/echo", bytes.NewReader(big[:1<<19])); got != string(big[:1<<19]) {
				t.Errorf("echo of known length: %d bytes", len(got))
			}
			if resp, got := get("POST", "/echo", io.MultiReader(bytes.NewReader(big[:1<<19]))); got != string(big[:1<<19]) || resp.Header.Get("X-Length") != "-1" {
				t.Errorf("echo of unknown length: %d bytes, length %q", len(got), resp.Header.Get("X-Length"))
			}
			for _, path := range []string{"/big", "/sized"} {
				if _, got := get("GET", path, nil); got != string(big) {
					t.Errorf("%s: %d bytes", path, len(got))
				}
			}
			if resp, got := get("GET", "/nothing", nil); resp.StatusCode != 204 || got != "" {
				t.Errorf("nothing: %d %q", resp.StatusCode, got)
			}
			if resp, _ := get("GET", "/early", nil); resp.StatusCode != 403 {
				t.Errorf("early: %d", resp.StatusCode)
			}
			if resp, got := get("GET", "/hints", nil); resp.StatusCode != 200 || got != "hinted" {
				t.Errorf("hints: %d %q", resp.StatusCode, got)
			}
			if resp, err := c.Get(base + "/cut"); err == nil {
				if body, err := io.ReadAll(resp.Body); err == nil {
					t.Errorf("a cut response looks whole: %q", body)
				}
			}
			// Trailers, both ways.
			r, w := io.Pipe()
			req, _ := http.NewRequest("POST", base+"/echo", r)
			req.Trailer = http.Header{"Sum": nil}
			go func() {
				_, _ = w.Write([]byte("abc"))
				req.Trailer.Set("Sum", "42")
				w.Close()
			}()
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(resp.Body); string(got) != "abc" || resp.Trailer.Get("Echo-Sum") != "42" {
				t.Errorf("trailers: body %q, %v", got, resp.Trailer)
			}
			resp.Body.Close()
			var all sync.WaitGroup
			for range servertest.Times(50, 8) {
				all.Go(func() {
					for range servertest.Times(4, 2) {
						resp, err := c.Post(base+"/echo", "", bytes.NewReader(big[:100<<10]))
						if err != nil {
							t.Error(err)
							return
						}
						got, err := io.ReadAll(resp.Body)
						resp.Body.Close()
						if err != nil || !bytes.Equal(got, big[:100<<10]) {
							t.Errorf("%d bytes, %v", len(got), err)
						}
					}
				})
			}
			all.Wait()
			// A client that cancels its request.
			ctx, cancel := context.WithCancel(t.Context())
			req, _ = http.NewRequestWithContext(ctx, "GET", base+"/big", nil)
			if resp, err := c.Do(req); err == nil {
				_, _ = io.ReadFull(resp.Body, make([]byte, 1000))
				cancel()
				resp.Body.Close()
			}
			cancel()
			if resp, _ := get("GET", "/hello", nil); resp.StatusCode != 200 {
				t.Errorf("after a cancelled request: %d", resp.StatusCode)
			}
		})
	}
}

// TestTrailersBehindLength: a response of known length keeps its trailers, where both sides have a place for them.
func TestTrailersBehindLength(t *testing.T) {
	t.Parallel()
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Trailer", "Sum")
		_, _ = io.WriteString(w, "hello")
		w.Header().Set("Sum", "42")
	}))
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.H2C, backend)
	for _, c := range []*http.Client{servertest.HTTP2Client(t), servertest.HTTP1Client(t)} {
		for range 2 {
			resp, err := c.Get("http://" + g.addr)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != "hello" || err != nil || resp.ContentLength != 5 {
				t.Errorf("%q, %v, length %d", body, err, resp.ContentLength)
			}
			if got := resp.Trailer.Get("Sum"); resp.ProtoMajor == 2 && got != "42" {
				t.Errorf("trailer %q", got)
			}
		}
	}
}
