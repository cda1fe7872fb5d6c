package admin

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// send writes raw bytes, reads until the connection is closed, and returns the status line and what
// followed it.
func send(t *testing.T, address, raw string) (status string, rest string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(bufio.NewReader(c))
	if err != nil {
		t.Fatalf("%q: %v after %q", raw, err, all)
	}
	status, rest, _ = strings.Cut(string(all), "\r\n")
	return status, rest
}

// TestGuard: what Hertz's parser would take, or would repair, never reaches it, and no connection
// carries a second request.
func TestGuard(t *testing.T) {
	metrics, _ := start(t, testOptions())
	const host = "Host: h\r\n"
	tests := []struct {
		name, raw, want string
	}{
		{"plain", "GET /healthz HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 200 OK"},
		{"HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"},
		{"absolute form", "GET http://h/healthz HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 200 OK"},
		{"pipelined", "GET /healthz HTTP/1.1\r\n" + host + "\r\nGET /readyz HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 200 OK"},
		{"POST", "POST /healthz HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
		{"other method", "BREW /healthz HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 405 Method Not Allowed"},
		{"CONNECT", "CONNECT h:80 HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 "},
		{"body", "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 400 Bad Request"},
		{"chunked", "GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"both lengths", "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"two hosts", "GET /healthz HTTP/1.1\r\n" + host + host + "\r\n", "HTTP/1.1 400 Bad Request"},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"folded", "GET /healthz HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"bare LF", "GET /healthz HTTP/1.1\n" + host + "\n\n", "HTTP/1.1 400 Bad Request"},
		{"NUL in a name", "GET /healthz HTTP/1.1\r\n" + host + "A\x00: b\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"garbage", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"large head", "GET /healthz HTTP/1.1\r\n" + host + "A: " + strings.Repeat("x", 2*maxHead) + "\r\n\r\n", "HTTP/1.1 431 Request Header Fields Too Large"},
		{"many fields", "GET /healthz HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 100) + "\r\n", "HTTP/1.1 431 Request Header Fields Too Large"},
	}
	for _, test := range tests {
		status, rest := send(t, metrics, test.raw)
		if !strings.HasPrefix(status, test.want) {
			t.Errorf("%s: %q, want %q", test.name, status, test.want)
		}
		if strings.Contains(rest, "HTTP/1.1 ") {
			t.Errorf("%s: two answers: %q", test.name, rest)
		}
	}
}

// TestSlowHead: a client that trickles a head is answered 408 when its time is over, however the
// bytes were spread.
func TestSlowHead(t *testing.T) {
	g := newGuard(nil)
	var here net.Conn
	got := make(chan int, 1)
	// Again with more time where it was over before the part of a head was there.
	for timeout := 50 * time.Millisecond; ; timeout *= 2 {
		var there net.Conn
		here, there = net.Pipe()
		c, _ := g.admit(there)
		c.deadline = time.Now().Add(timeout)
		go func() {
			n, _ := c.Read(make([]byte, 100))
			c.Close()
			got <- n
		}()
		_, err := io.WriteString(here, "GET / HTTP/1.1\r\nA: ")
		if err == nil {
			break
		}
		if timeout > 5*time.Second {
			t.Fatal(err)
		}
		here.Close()
		<-got
	}
	defer here.Close()
	answer, err := io.ReadAll(here)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("%q, %v", answer, err)
	}
	if n := <-got; n != 0 {
		t.Errorf("%d bytes of an unfinished head were passed on", n)
	}
}

// TestShutdownWaits: an answer under way is finished, an idle connection does not hold it up for
// long, and nothing is accepted any more.
func TestShutdownWaits(t *testing.T) {
	options := testOptions()
	entered, release := make(chan struct{}), make(chan struct{})
	options.Ready = func() (bool, string) {
		close(entered)
		<-release
		return true, ""
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	metrics := s.Addresses()[0].String()
	silent, err := net.Dial("tcp", metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	answered := make(chan string)
	go func() {
		status, _ := send(t, metrics, "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
		answered <- status
	}()
	<-entered
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	close(release)
	if status := <-answered; status != "HTTP/1.1 200 OK" {
		t.Errorf("answer under way: %q", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", metrics); err == nil {
		c.Close()
		t.Error("connections are still accepted")
	}
}
