package servertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Wire is one end of a raw connection: a client's to the gateway, or a scripted Backend's from it.
type Wire struct {
	*net.TCPConn
	t testing.TB
	R *bufio.Reader
}

// Timeout bounds every read and write of a wire, so that a test that waits for something that
// does not come fails by itself. It is no measure of the gateway: a machine may be slow for long.
const Timeout = time.Minute

// NewWire takes over a connection of TCP.
func NewWire(t testing.TB, c net.Conn) *Wire {
	c.SetDeadline(time.Now().Add(Timeout))
	return &Wire{TCPConn: c.(*net.TCPConn), t: t, R: bufio.NewReaderSize(c, 64<<10)}
}

// Exactly is how a client that reads until n bytes, or the end, sees an answer.
func (w *Wire) Exactly(want string) {
	w.t.Helper()
	if got := w.Take(len(want)); got != want {
		w.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Want101 reads the head with which a tunnel through the gateway begins.
func (w *Wire) Want101() {
	w.t.Helper()
	head := w.Head()
	for _, line := range []string{"HTTP/1.1 101 Switching Protocols\r\n", "\r\nConnection: upgrade\r\n", "\r\nUpgrade: websocket\r\n", "\r\nSec-WebSocket-Accept: czNw\r\n"} {
		if !strings.Contains(head, line) {
			w.t.Fatalf("%q lacks %q", head, line)
		}
	}
}

// Send writes text. What the peer makes of it is for the caller to read: the write itself may fail
// when the peer has closed already.
func (w *Wire) Send(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	_, _ = io.WriteString(w.TCPConn, format)
}

// Head reads up to and including an empty line; "" when the connection ends first.
func (w *Wire) Head() string {
	var b strings.Builder
	for {
		line, err := w.R.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// Take reads n bytes, or what there is before the end.
func (w *Wire) Take(n int) string {
	b := make([]byte, n)
	n, _ = io.ReadFull(w.R, b)
	return string(b[:n])
}

// Rest reads to the end. reset tells that the end was a reset, or that none came.
func (w *Wire) Rest() (text string, reset bool) {
	b, err := io.ReadAll(w.R)
	return string(b), err != nil
}

// ReadAnswer reads one final response to a request with the given method, passing over interim ones; status
// 0 when none came.
func (w *Wire) ReadAnswer(method string) Answer {
	var resp *http.Response
	for resp == nil || resp.StatusCode < 200 && resp.StatusCode != 101 {
		var err error
		if resp, err = http.ReadResponse(w.R, &http.Request{Method: method}); err != nil {
			return Answer{Response: &http.Response{}, Cut: err}
		}
	}
	b, err := io.ReadAll(resp.Body)
	return Answer{resp, string(b), err}
}

// Get sends a GET for path and reads the answer.
func (w *Wire) Get(path string) Answer {
	w.Send("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	return w.ReadAnswer("GET")
}

// WantClosed checks that nothing more comes and that the connection ends.
func (w *Wire) WantClosed() {
	w.t.Helper()
	b, err := io.ReadAll(w.R)
	if len(b) > 0 {
		w.t.Errorf("after the end came %.200q", b)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("the connection is still open")
	}
}

// Answer is a response as a client sees it.
type Answer struct {
	*http.Response
	Text string
	// cut is why the body is not whole, nil when it is.
	Cut error
}

// NewAnswer parses a response that ended with its connection.
func NewAnswer(text, method string) Answer {
	w := &Wire{R: bufio.NewReader(strings.NewReader(text))}
	return w.ReadAnswer(method)
}

// Target is the request target of a raw head.
func Target(head string) string {
	if f := strings.SplitN(head, " ", 3); len(f) == 3 {
		return f[1]
	}
	return ""
}

// OKResponse is a response with the given body.
func OKResponse(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// Pattern is n printable bytes that do not repeat soon, so that a shifted or repeated piece shows.
func Pattern(n int) []byte {
	b := make([]byte, n)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = ' ' + byte(state>>26)
	}
	return b
}
