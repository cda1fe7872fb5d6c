package server

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// TestLastRecordLeaves: the last bytes of a response over HTTP/2 and TLS leave when the client reads again, wherever the
// socket was full.
func TestLastRecordLeaves(t *testing.T) {
	t.Parallel()
	body := servertest.Pattern(8 << 20)
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.URL.Path[1:], &n)
		_, _ = w.Write(body[:n])
	}))
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.HTTP, backend)
	var all sync.WaitGroup
	slots := make(chan struct{}, 20)
	for n := 64 << 10; n < 7<<20; n += servertest.Times(48, 256) << 10 {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if t.Failed() {
				return // the others take as long to fail
			}
			nc, err := net.Dial("tcp", g.secureAddr)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			_ = nc.(*net.TCPConn).SetReadBuffer(64 << 10)
			tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
			c := servertest.NewRawHTTP2(tc, tc)
			c.Open(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
			_ = c.WriteWindowUpdate(0, 1<<30)
			c.Request(1, "GET", fmt.Sprint("/", n), true)
			time.Sleep(300 * time.Millisecond) // until what fits is written
			for got := 0; ; {
				_ = nc.SetDeadline(time.Now().Add(servertest.Timeout / 2)) // a response that stops never goes on
				f, err := c.ReadFrame()
				if err != nil {
					t.Errorf("response of %d: stops after %d: %v", n, got, err)
					return
				}
				if f, ok := f.(*http2.DataFrame); ok {
					got += len(f.Data())
					if f.StreamEnded() {
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// TestCompleteResponseThenReset: an Endpoint that has ended its response may cancel the rest of the request, or leave, while
// the client still reads: RFC 9113 section 8.1.
func TestCompleteResponseThenReset(t *testing.T) {
	t.Parallel()
	for _, leave := range []bool{false, true} {
		backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
			for {
				st := c.NextHead()
				if st == 0 {
					return
				}
				c.Fields(st, false, ":status", "200")
				_ = c.WriteData(st, false, []byte("hello, world"))
				c.Fields(st, true, "grpc-status", "0")
				if leave {
					return
				}
				_ = c.WriteRSTStream(st, http2.ErrCodeNo)
			}
		})
		g := newGateway(t, nil, Options{})
		g.serveProtocol(routing.H2C, backend)
		c := servertest.DialHTTP2(t, g.addr, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5})
		c.Request(1, "POST", "/", true)
		var got []byte
		for ended := false; !ended; {
			f, err := c.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch f := f.(type) {
			case *http2.DataFrame:
				got = append(got, f.Data()...)
				if len(got) == 5 {
					time.Sleep(50 * time.Millisecond) // until the Endpoint's end was seen
					_ = c.WriteWindowUpdate(1, 100)
				}
			case *http2.RSTStreamFrame:
				t.Fatalf("leave %v: reset with %v after %q", leave, f.ErrCode, got)
			case *http2.HeadersFrame:
				ended = f.StreamEnded()
			}
		}
		if string(got) != "hello, world" {
			t.Errorf("body %q", got)
		}
	}
}

// TestForbiddenTrailersStay: what must not stand in trailers does not reach an Endpoint from HTTP/2 either (RFC 9110 section
// 6.5.1).
func TestForbiddenTrailersStay(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		seen := make(chan http.Header, 1)
		backend := servertest.StartBackend(t, false, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			seen <- r.Trailer
		}))
		g := newGateway(t, nil, Options{})
		g.serveProtocol(p, backend)
		c := servertest.DialHTTP2(t, g.addr)
		c.Request(1, "POST", "/", false, "trailer", "sum, authorization, host")
		_ = c.WriteData(1, false, []byte("abc"))
		c.Fields(1, true, "content-length", "7", "sum", "42", "authorization", "x", "host", "evil", "last", "1")
		var got http.Header
		select {
		case got = <-seen:
		case <-time.After(servertest.Timeout):
			t.Fatal("no request")
		}
		if got.Get("Sum") != "42" || got.Get("Authorization") != "" || got.Get("Content-Length") != "" || got.Get("Host") != "" {
			t.Errorf("%v: trailers %v", p, got)
		}
	}
}

// TestTrailersLoseTheirSpace: HTTP/2 takes no white space around a value, which HTTP/1.1 allows.
func TestTrailersLoseTheirSpace(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	raw := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for {
			f, err := c.ReadFrame()
			if err != nil {
				seen <- nil
				return
			}
			if f, ok := f.(*http2.MetaHeadersFrame); ok && f.StreamEnded() {
				h := http.Header{}
				for _, f := range f.Fields {
					h.Add(f.Name, f.Value)
				}
				seen <- h
			}
		}
	})
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.H2C, raw)
	c := g.wire()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n3\r\nabc\r\n0\r\nSum: \t 42 \t\r\n\r\n")
	if got := (<-seen).Get("Sum"); got != "42" {
		t.Errorf("value %q", got)
	}
}

// TestWebSocketBytesBeforeItsAnswer: bytes that a client sends behind its Upgrade, before it is accepted, are the new
// protocol's, and are relayed at once.
func TestWebSocketBytesBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	asked, accept := make(chan uint32, 1), make(chan struct{})
	got := make(chan string, 1)
	backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		st := c.NextHead()
		asked <- st
		<-accept
		c.Fields(st, false, ":status", "200")
		for {
			f, err := c.ReadFrame()
			if err != nil {
				got <- err.Error()
				return
			}
			if f, ok := f.(*http2.DataFrame); ok {
				got <- string(f.Data())
				return
			}
		}
	}, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.H2C, backend)
	c := g.wire()
	c.Send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
	<-asked
	c.Send("early")
	g.settle()
	close(accept)
	select {
	case text := <-got:
		if text != "early" {
			t.Errorf("the Endpoint got %q", text)
		}
	case <-time.After(servertest.Timeout):
		t.Error("the Endpoint got nothing")
	}
}

// TestBodyTimeoutBehindEarlyHead: a client that stops in the middle of its body is timed out also when the Endpoint has
// begun to answer over HTTP/2.
func TestBodyTimeoutBehindEarlyHead(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"103", "200"} {
		backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
			if st := c.NextHead(); st != 0 {
				c.Fields(st, false, ":status", status)
				c.NextHead()
			}
		})
		g := newGateway(t, func(c *config.Config) { c.Timeouts.Body = config.Duration(300 * time.Millisecond) }, Options{})
		g.serveProtocol(routing.H2C, backend)
		c := g.wire()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\na")
		if text, _ := c.Rest(); text == "" {
			t.Errorf("%s: no answer", status)
		}
		if _, err := c.R.ReadByte(); err != io.EOF {
			t.Errorf("%s: still open: %v", status, err)
		}
	}
}

// TestSessionBegunInADrain: a connection that turns out to be HTTP/2 in a drain is sent GOAWAY, too.
func TestSessionBegunInADrain(t *testing.T) {
	t.Parallel()
	servertest.Retry(t, sessionBegunInADrain)
}

func sessionBegunInADrain(t *servertest.Try, _ time.Duration) {
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.HTTP, servertest.EchoBackend(t))
	nc, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	nc = g.dial()
	defer nc.Close()
	servertest.Until(t, "both to be accepted, and one to end", func() bool { accepted, open := g.connections(); return accepted == 2 && open == 1 })
	begun := time.Now()
	g.beginDrain(servertest.Timeout)
	g.settle()
	c := servertest.NewRawHTTP2(nc, nc)
	c.Open()
	t.InTime = time.Since(begun) < time.Duration(down.IdleGrace)
	c.Request(1, "POST", "/", false) // stays open
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("no GOAWAY: %v", err)
		}
		if _, ok := f.(*http2.GoAwayFrame); ok {
			return
		}
	}
}

// TestStuckSessionIsLeft: an Endpoint's connection that never becomes ready costs one request its connect timeout, and not
// all that follow.
func TestStuckSessionIsLeft(t *testing.T) {
	t.Parallel()
	good := servertest.StartBackend(t, true, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	front := servertest.RawBackend(t, func(n int, c *servertest.Wire) {
		if n == 0 {
			_, _ = io.Copy(io.Discard, c.R) // no handshake
			return
		}
		to, err := net.Dial("tcp", good)
		if err != nil {
			return
		}
		defer to.Close()
		go func() {
			_, _ = io.Copy(to, c.R)
			to.Close()
		}()
		_, _ = io.Copy(c.TCPConn, to)
	})
	const connect = 3 * time.Second // far more than the handshake that does come about takes
	g := newGateway(t, func(c *config.Config) { c.Threads = 1; c.Timeouts.Connect = config.Duration(connect) }, Options{})
	g.serveProtocol(routing.GRPCS, front)
	c := servertest.HTTP1Client(t)
	for i := range 4 {
		begin := time.Now()
		resp, err := c.Get("http://" + g.addr)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if took := time.Since(begin); resp.StatusCode != 200 || i > 0 && took > connect {
			t.Errorf("request %d: status %d after %v", i, resp.StatusCode, took)
		}
	}
}

// TestCongestedSessionIsReadAgain: frames that came while too much output waited are read when it has left.
func TestCongestedSessionIsReadAgain(t *testing.T) {
	t.Parallel()
	fill := string(bytes.Repeat([]byte("x"), 15<<10))
	backend := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			if servertest.Target(head) == "/last" {
				c.Send("HTTP/1.1 204 No Content\r\nLast: 1\r\n\r\n")
			} else {
				c.Send("HTTP/1.1 204 No Content\r\nFill: %s\r\n\r\n", fill)
			}
		}
	})
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.HTTP, backend)
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for n := 240; n <= 380; n += 5 {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if t.Failed() {
				return // the others take as long to fail
			}
			nc := g.dial()
			defer nc.Close()
			_ = nc.(*net.TCPConn).SetReadBuffer(64 << 10)
			c := servertest.NewRawHTTP2(nc, nc)
			c.Open()
			for i := range n {
				c.Request(uint32(1+2*i), "GET", "/", true)
				if i%50 == 49 {
					time.Sleep(40 * time.Millisecond) // they are answered, as far as the gateway reads
				}
			}
			time.Sleep(100 * time.Millisecond) // a slow peer
			last := uint32(1 + 2*n)
			c.Request(last, "GET", "/last", true)
			time.Sleep(50 * time.Millisecond) // a slow peer
			for {
				_ = nc.SetDeadline(time.Now().Add(servertest.Timeout / 2))
				f, err := c.ReadFrame()
				if err == io.EOF {
					return // so much that was read at once is a flood: that it was read is what counts here
				}
				if err != nil {
					t.Errorf("%d requests: no answer to the last: %v", n, err)
					return
				}
				if f.Header().StreamID == last {
					return
				}
			}
		})
	}
	all.Wait()
}

// TestResponseInFrontOfAReset: a response that came whole counts, though the Endpoint's connection was reset right behind
// it.
func TestResponseInFrontOfAReset(t *testing.T) {
	t.Parallel()
	body := servertest.Pattern(1 << 20)[:60000]
	backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		st := c.NextHead()
		if st == 0 {
			return
		}
		c.Fields(st, false, ":status", "200")
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 16<<10)
			_ = c.WriteData(st, n == len(rest), rest[:n])
			rest = rest[n:]
		}
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
	})
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.H2C, backend)
	client := servertest.HTTP1Client(t)
	for i := range 100 {
		resp, err := client.Post("http://"+g.addr, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || err != nil || len(got) != len(body) {
			t.Fatalf("request %d: status %d, %d bytes, %v", i, resp.StatusCode, len(got), err)
		}
		// The next request must not take the connection that is about to be found reset: it is a POST, which is not sent
		// twice.
		for open := true; open; {
			sessions := make(chan int)
			g.workers[0].Post(func() { sessions <- g.workers[0].up.CountSessions().Sessions })
			open = <-sessions > 0
		}
	}
}

// TestStopClosesSessions: the connections to Endpoints end with the gateway.
func TestStopClosesSessions(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		c.Fields(c.NextHead(), true, ":status", "204")
		for {
			if _, err := c.ReadFrame(); err != nil {
				ended <- err
				return
			}
		}
	})
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.H2C, backend)
	c := g.wire()
	if got := c.Get("/"); got.StatusCode != 204 {
		t.Fatalf("status %d", got.StatusCode)
	}
	c.Close()
	_ = g.Drain(t.Context())
	select {
	case err := <-ended:
		if err != io.EOF {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(servertest.Timeout):
		t.Error("still open")
	}
}

// TestEmptyResponseHasLength: a response that ends with its HEADERS has no body, and an HTTP/1 client is sent its length:
// else it would wait for the end of the connection.
func TestEmptyResponseHasLength(t *testing.T) {
	t.Parallel()
	backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		for st := c.NextHead(); st != 0; st = c.NextHead() {
			c.Fields(st, true, ":status", "200")
		}
	})
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.H2C, backend)
	for _, minor := range []string{"0", "1"} {
		c := g.wire()
		for range 2 {
			c.Send("GET / HTTP/1.%s\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", minor)
			if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.ContentLength != 0 || got.Cut != nil {
				t.Errorf("HTTP/1.%s: status %d, length %d, %v", minor, got.StatusCode, got.ContentLength, got.Cut)
			}
		}
		c.Send("HEAD / HTTP/1.%s\r\nHost: a\r\n\r\n", minor)
		if head := c.Head(); strings.Contains(head, "Content-Length") {
			t.Errorf("HTTP/1.%s: a length that nobody gave: %q", minor, head)
		}
	}
}

// TestMalformedResponseInAPipeline: behind the 502 for a malformed response over HTTP/2, the client's next request is
// served, or its connection ends, without any further event.
func TestMalformedResponseInAPipeline(t *testing.T) {
	t.Parallel()
	backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		for n := 0; ; n++ {
			st := c.NextHead()
			switch {
			case st == 0:
				return
			case n == 0:
				c.Fields(st, true, ":status", "200", "Upper-Case", "1")
			case n == 1:
				for range 2 * exchange.InterimBurst / exchange.InterimLeast { // time makes some good
					c.Fields(st, false, ":status", "103")
				}
			default:
				c.Fields(st, true, ":status", "204")
			}
		}
	})
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.H2C, backend)
	c := g.wire()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []int{502, 502, 204} {
		if got := c.ReadAnswer("GET"); got.StatusCode != want {
			t.Fatalf("status %d, %v, want %d", got.StatusCode, got.Cut, want)
		}
	}
}

// TestTunnelsTailArrives: bytes that were sent into a tunnel that has ended reach an Endpoint that is slow to read, also
// where the Endpoint has left its Backend meanwhile, and nothing else keeps the session.
func TestTunnelsTailArrives(t *testing.T) {
	t.Parallel()
	const n = 48 << 10
	look, total := make(chan struct{}), make(chan int, 1)
	backend := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		_ = c.Conn.(*net.TCPConn).SetReadBuffer(1) // which is the least that there is
		st := c.NextHead()
		c.Fields(st, false, ":status", "200")
		_ = c.WriteData(st, true, nil)
		<-look
		_ = c.WritePing(false, [8]byte{}) // a closed socket would answer with a reset
		time.Sleep(50 * time.Millisecond) // a slow peer
		got := 0
		for {
			f, err := c.ReadFrame()
			if err != nil {
				t.Errorf("after %d bytes: %v", got, err)
				break
			}
			if d, ok := f.(*http2.DataFrame); ok {
				if got += len(d.Data()); d.StreamEnded() {
					break
				}
			}
		}
		total <- got
	}, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.H2C, backend)
	c := servertest.DialHTTP2(t, g.addr)
	c.Request(1, "CONNECT", "/", false, ":protocol", "websocket", "sec-websocket-version", "13")
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := f.(*http2.DataFrame); ok && d.StreamEnded() {
			break
		}
	}
	g.serveProtocol(routing.H2C, "127.0.0.1:1")
	body := servertest.Pattern(n)
	for i := 0; i < n; i += 16 << 10 {
		_ = c.WriteData(1, i+16<<10 == n, body[i:i+16<<10])
	}
	time.Sleep(time.Duration(wire.JanitorPeriod) * 3 / 2) // a slow peer
	close(look)
	if got := <-total; got != n {
		t.Errorf("%d bytes of %d arrive", got, n)
	}
}
