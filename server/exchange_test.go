package server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestExchange is the example: requests of every body form go through, one connection serves many.
func TestExchange(t *testing.T) {
	t.Parallel()
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Host)
		switch r.URL.Path {
		case "/chunked":
			for _, part := range bytes.SplitAfter(body, []byte(" ")) {
				w.Write(part)
				w.(http.Flusher).Flush()
			}
		case "/none":
			w.WriteHeader(204)
		default:
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Write(body)
		}
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	big := make([]byte, 300_000)
	rand.Read(big)
	for _, tt := range []struct {
		method, path string
		body         []byte
		chunked      bool
	}{
		{"GET", "/", nil, false},
		{"GET", "/a/b?c=d", nil, false},
		{"POST", "/", []byte("hello"), false},
		{"POST", "/", []byte("hello"), true},
		{"POST", "/chunked", []byte("to be or not to be"), true},
		{"PUT", "/", big, false},
		{"PUT", "/", big, true},
		{"PUT", "/chunked", big, true},
		{"DELETE", "/none", nil, false},
		{"HEAD", "/", nil, false},
	} {
		var body io.Reader
		if tt.body != nil {
			body = bytes.NewReader(tt.body)
			if tt.chunked {
				body = io.MultiReader(body) // hides the length
			}
		}
		req, err := http.NewRequest(tt.method, "http://"+g.addr+tt.path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "app.test"
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", tt.method, tt.path, err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, tt.body) && !(len(got) == 0 && len(tt.body) == 0) {
			t.Errorf("%s %s of %d bytes: got %d bytes, %v", tt.method, tt.path, len(tt.body), len(got), err)
		}
		if want := tt.method + " " + tt.path + " app.test"; resp.Header.Get("X-Seen") != want {
			t.Errorf("Backend saw %q, want %q", resp.Header.Get("X-Seen"), want)
		}
	}
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		w.Header().Set("X-N", r.URL.Query().Get("n"))
		w.Write(bytes.Repeat([]byte{byte(n)}, n))
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	var wg sync.WaitGroup
	for client := range 32 {
		wg.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			for i := range servertest.Times(50, 15) {
				n := (client*7919 + i*104729) % 200_000
				resp, err := (&http.Client{Transport: tr}).Get(fmt.Sprintf("http://%s/?n=%d", g.addr, n))
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || len(b) != n || n > 0 && b[0] != byte(n) || resp.Header.Get("X-N") != strconv.Itoa(n) {
					t.Errorf("n=%d: %d bytes, %v", n, len(b), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	var in strings.Builder
	for i := range 100 {
		fmt.Fprintf(&in, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
	}
	c := g.dial()
	go io.WriteString(c, in.String())
	r := bufio.NewReader(c)
	for i := range 100 {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		if want := "/" + strconv.Itoa(i); string(b) != want {
			t.Fatalf("response %d is %q", i, b)
		}
	}
}

func TestHalfClosedClientGetsItsResponse(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		<-closed
		io.WriteString(w, "late")
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	c := g.dial().(*net.TCPConn)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	c.CloseWrite()
	g.settle()
	close(closed)
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "late") {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	get := func() string {
		return strings.SplitN(g.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "\r\n", 2)[0]
	}
	if got := get(); got != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("before the first Snapshot: %q", got)
	}
	g.serve(nil)
	if got := get(); got != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("without Endpoints: %q", got)
	}
	g.serve(nil, "127.0.0.1:1")
	if got := get(); got != "HTTP/1.1 502 Bad Gateway" {
		t.Errorf("with a dead Endpoint: %q", got)
	}
	var empty *routing.Table
	g.store.Publish(&routing.Snapshot{Table: empty.With(nil, nil)})
	if got := get(); got != "HTTP/1.1 404 Not Found" {
		t.Errorf("without Routes: %q", got)
	}
}
