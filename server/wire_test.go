package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is one end of a raw connection: a client's to the gateway, or a scripted Backend's from it.
type wire struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

// wireTimeout bounds every read and write of a wire, so that a test that waits for something that
// does not come fails by itself. It is no measure of the gateway: a machine may be slow for long.
const wireTimeout = time.Minute

func newWire(t testing.TB, c net.Conn) *wire {
	c.SetDeadline(time.Now().Add(wireTimeout))
	return &wire{TCPConn: c.(*net.TCPConn), t: t, r: bufio.NewReaderSize(c, 64<<10)}
}

// wire opens a raw client connection.
func (g *gateway) wire() *wire { return newWire(g.t, g.dial()) }

// send writes text. What the peer makes of it is for the caller to read: the write itself may fail
// when the peer has closed already.
func (w *wire) send(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	_, _ = io.WriteString(w.TCPConn, format)
}

// head reads up to and including an empty line; "" when the connection ends first.
func (w *wire) head() string {
	var b strings.Builder
	for {
		line, err := w.r.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// take reads n bytes, or what there is before the end.
func (w *wire) take(n int) string {
	b := make([]byte, n)
	n, _ = io.ReadFull(w.r, b)
	return string(b[:n])
}

// rest reads to the end. reset tells that the end was a reset, or that none came.
func (w *wire) rest() (text string, reset bool) {
	b, err := io.ReadAll(w.r)
	return string(b), err != nil
}

// answer is a response as a client sees it.
type answer struct {
	*http.Response
	body string
	// cut is why the body is not whole, nil when it is.
	cut error
}

// read reads one final response to a request with the given method, passing over interim ones; status
// 0 when none came.
func (w *wire) read(method string) answer {
	var resp *http.Response
	for resp == nil || resp.StatusCode < 200 && resp.StatusCode != 101 {
		var err error
		if resp, err = http.ReadResponse(w.r, &http.Request{Method: method}); err != nil {
			return answer{Response: &http.Response{}, cut: err}
		}
	}
	b, err := io.ReadAll(resp.Body)
	return answer{resp, string(b), err}
}

// get sends a GET for path and reads the answer.
func (w *wire) get(path string) answer {
	w.send("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	return w.read("GET")
}

// wantClosed checks that nothing more comes and that the connection ends.
func (w *wire) wantClosed() {
	w.t.Helper()
	b, err := io.ReadAll(w.r)
	if len(b) > 0 {
		w.t.Errorf("after the end came %.200q", b)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("the connection is still open")
	}
}

// settle returns when the gateway has handled all bytes that were written to it before: every loop
// has been through the events that were ready, and through those that these led to.
func (g *gateway) settle() {
	for range 3 {
		var wg sync.WaitGroup
		for _, w := range g.workers {
			wg.Add(1)
			w.Post(wg.Done)
		}
		wg.Wait()
	}
}

// rawBackend accepts connections and gives each to handle, with its number from 0. A connection is
// closed when handle returns, and at the end of the test.
func rawBackend(t testing.TB, handle func(n int, c *wire)) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				handle(n, newWire(t, c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// targets collects what a Backend was asked for.
type targets struct {
	mu   sync.Mutex
	seen []string
}

func (s *targets) add(target string) {
	s.mu.Lock()
	s.seen = append(s.seen, target)
	s.mu.Unlock()
}

func (s *targets) has(target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.seen, target)
}

func (s *targets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *targets) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%q", s.seen)
}

// target is the request target of a raw head.
func target(head string) string {
	if f := strings.SplitN(head, " ", 3); len(f) == 3 {
		return f[1]
	}
	return ""
}

// okResponse is a response with the given body.
func okResponse(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// pattern is n printable bytes that do not repeat soon, so that a shifted or repeated piece shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = ' ' + byte(state>>26)
	}
	return b
}

// newAnswer parses a response that ended with its connection.
func newAnswer(text, method string) answer {
	w := &wire{r: bufio.NewReader(strings.NewReader(text))}
	return w.read(method)
}

// echoBackend returns each request's body, framed as the target says.
func echoBackend(t testing.TB) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.URL.Path != "/chunked" {
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		} else {
			w.(http.Flusher).Flush()
		}
		w.Write(b)
	})
}
