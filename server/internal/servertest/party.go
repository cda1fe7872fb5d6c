package servertest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// Greeting is what each party has sent the other, who has not read it.
const Greeting = "greeting"

// Party is one of the two who speak through the gateway, a client or an Endpoint, on a connection or on a stream
// of one. It reads when it is told to, so that it can be as slow as any, and ends in every way there is.
type Party struct {
	t    testing.TB
	name string
	TCP  *net.TCPConn
	Conn net.Conn // tcp, or TLS over it
	R    *bufio.Reader
	Host string // of a client: what it asks for, "" = a.test
	head string // of an Endpoint over HTTP/1.1: what it was asked

	Silent bool // it has nothing more to send
	Owed   int  // bytes that came, and are not to be read

	// Over HTTP/2:
	H2     *Frames
	stream uint32

	// Guarded by h2.mu:
	got    []byte
	untold int  // bytes of got for which no window was opened
	eager  bool // opens the window for what comes
	end    string
	answer bool // a head came
}

// NewParty is one on a connection that speaks HTTP/1.1, or a protocol of the test's own.
func NewParty(t testing.TB, name string, w *Wire) *Party {
	return &Party{t: t, name: name, TCP: w.TCPConn, Conn: w.TCPConn, R: w.R}
}

// Kind is how a client speaks to the gateway.
type Kind struct {
	Name            string
	Secure, Streams bool
}

// Kinds are all of them.
var Kinds = []Kind{{"h1", false, false}, {"h1+tls", true, false}, {"h2c", false, true}, {"h2+tls", true, true}}

// DialParty opens a client's connection. receive is the size of its receive buffer, 0 = as it is.
func DialParty(t testing.TB, addr string, k Kind, receive int) *Party {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(Timeout))
	p := &Party{t: t, name: "client " + k.Name, TCP: nc.(*net.TCPConn), Conn: nc}
	if receive > 0 {
		_ = p.TCP.SetReadBuffer(receive)
	}
	if k.Secure {
		protocol := "http/1.1"
		if k.Streams {
			protocol = "h2"
		}
		c := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		p.Conn = c
	}
	p.R = bufio.NewReader(p.Conn)
	if k.Streams {
		_, _ = io.WriteString(p.Conn, http2.ClientPreface)
		p.H2 = newFrames(p.Conn, p.R)
		p.stream = 1
		p.H2.list[1] = p
		go p.H2.run()
	}
	return p
}

// Greet sends what the other does not read.
func (p *Party) Greet(other *Party) {
	if !p.Silent {
		p.Send([]byte(Greeting))
		other.Owed = len(Greeting)
	}
}

// openWindow opens the windows for what came. With h2.mu.
func (p *Party) openWindow() {
	if p.untold > 0 {
		_ = p.H2.WriteWindowUpdate(0, uint32(p.untold))
		if p.end == "" {
			_ = p.H2.WriteWindowUpdate(p.stream, uint32(p.untold))
		}
		p.untold = 0
	}
}

// fields writes a head.
func (p *Party) fields(end bool, fields ...string) {
	f := p.H2
	f.mu.Lock()
	defer f.mu.Unlock()
	f.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = f.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: p.stream, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: end})
}

// Send sends bytes of a body or of a tunnel. Over HTTP/2 they have to fit in the window.
func (p *Party) Send(b []byte) {
	if p.H2 == nil {
		_, _ = p.Conn.Write(b)
		return
	}
	p.H2.mu.Lock()
	defer p.H2.mu.Unlock()
	for len(b) > 0 {
		n := min(len(b), 16<<10)
		_ = p.H2.WriteData(p.stream, false, b[:n])
		b = b[n:]
	}
}

// Rest reads to the end, and says which it was: "end", "cut" or "reset".
func (p *Party) Rest() (got []byte, end string) {
	_ = p.TCP.SetReadBuffer(1 << 20) // it was slow for long enough
	if p.H2 == nil {
		got, err := io.ReadAll(p.R)
		if err == nil {
			err = io.EOF
		}
		return got, endOf(err)
	}
	f := p.H2
	f.mu.Lock()
	defer f.mu.Unlock()
	p.eager = true
	p.openWindow()
	deadline := time.AfterFunc(Timeout, func() { _ = p.Conn.Close() })
	defer deadline.Stop()
	for p.end == "" {
		f.moved.Wait()
	}
	return p.got, p.end
}

// Fin ends what p sends, and nothing else.
func (p *Party) Fin() {
	if p.Silent && p.H2 != nil {
		return // the request's head was its end
	}
	if p.H2 != nil {
		p.H2.mu.Lock()
		_ = p.H2.WriteData(p.stream, true, nil)
		p.H2.mu.Unlock()
		return
	}
	if c, ok := p.Conn.(*tls.Conn); ok {
		_ = c.CloseWrite()
	}
	_ = p.TCP.CloseWrite()
}

// Reset breaks off. Over HTTP/2 the connection goes on.
func (p *Party) Reset() {
	if p.H2 != nil {
		p.H2.mu.Lock()
		_ = p.H2.WriteRSTStream(p.stream, http2.ErrCodeCancel)
		p.H2.mu.Unlock()
		return
	}
	_ = p.TCP.SetLinger(0)
	p.TCP.Close()
}

// Leave closes the connection as it is, which is a reset where something is unread.
func (p *Party) Leave() { p.TCP.Close() }

// Acknowledged waits until the gateway's kernel has all that p has written.
func (p *Party) Acknowledged() {
	raw, err := p.TCP.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	Until(p.t, p.name+"'s bytes to be acknowledged", func() (done bool) {
		_ = raw.Control(func(fd uintptr) { done = loop.Unacknowledged(int(fd)) == 0 })
		return done
	})
}

// Unread waits until p's socket has bytes that p has not read, or none will come any more.
func (p *Party) Unread() {
	raw, err := p.TCP.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	Until(p.t, p.name+" to have something unread", func() (some bool) {
		_ = raw.Control(func(fd uintptr) { some = readable(int(fd)) })
		return some
	})
}

// Ask sends a request's head: of a WebSocket, of a POST with an open body, or of a GET.
func (p *Party) Ask(method string, more ...string) {
	host := p.Host
	if host == "" {
		host = "a.test"
	}
	if p.H2 != nil {
		fields := []string{":method", method, ":scheme", "http", ":authority", host, ":path", "/"}
		if method == "CONNECT" {
			fields = append(fields, ":protocol", "websocket", "sec-websocket-version", "13")
		}
		p.fields(method == "GET", append(fields, more...)...)
		return
	}
	var head strings.Builder
	if method == "CONNECT" {
		fmt.Fprintf(&head, "GET / HTTP/1.1\r\nHost: %s\r\n", host)
		head.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n")
	} else {
		fmt.Fprintf(&head, "%s / HTTP/1.1\r\nHost: %s\r\n", method, host)
	}
	for i := 0; i < len(more); i += 2 {
		fmt.Fprintf(&head, "%s: %s\r\n", more[i], more[i+1])
	}
	head.WriteString("\r\n")
	p.Send([]byte(head.String()))
}

// Heard waits for the head of the answer.
func (p *Party) Heard() string {
	if p.H2 != nil {
		p.H2.mu.Lock()
		defer p.H2.mu.Unlock()
		for !p.answer && p.end == "" {
			p.H2.moved.Wait()
		}
		return ""
	}
	var b strings.Builder
	for {
		line, err := p.R.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// Accept answers: with the beginning of a tunnel, or with a head of an answer whose body is length bytes, or open.
func (p *Party) Accept(tunnel bool, length int) {
	switch {
	case p.H2 != nil && length >= 0:
		p.fields(false, ":status", "200", "content-length", fmt.Sprint(length))
	case p.H2 != nil:
		p.fields(false, ":status", "200")
	case tunnel:
		p.Send([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
	case length >= 0:
		p.Send(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length))
	default:
		p.Send([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	}
}

// Flood sends more than anybody takes, and stays in that.
func (p *Party) Flood() {
	if p.H2 != nil {
		p.Send(make([]byte, 60<<10)) // over HTTP/2, the window: of a client's it is the least there is
		return
	}
	_ = p.TCP.SetDeadline(time.Time{})
	go func() { _, _ = p.Conn.Write(make([]byte, 64<<20)) }()
}

// endOf says what the end of a connection was.
func endOf(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "end"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "reset"
}

// readable reports whether a socket has bytes to read, or its end.
func readable(fd int) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN
}
