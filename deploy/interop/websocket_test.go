package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	xwebsocket "golang.org/x/net/websocket"
)

// tunnel is a WebSocket connection, either end, below its frames.
type tunnel struct {
	io.Reader
	io.Writer
	closeWrite func() // ends our direction alone
	close      func()
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// webSocketBackend hands each WebSocket, by either protocol, to serve.
func webSocketBackend(t *testing.T, u up, serve func(*tunnel)) string {
	return startBackend(t, u, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			if r.Method != "CONNECT" || r.Header.Get(":protocol") != "websocket" || r.Header.Get("Sec-WebSocket-Version") != "13" || r.Header.Get("Sec-WebSocket-Key") != "" {
				http.Error(w, fmt.Sprint("no WebSocket: ", r.Method, r.Header), 400)
				return
			}
			flush := w.(http.Flusher)
			flush.Flush()
			serve(&tunnel{r.Body, flushWriter{w, flush}, func() {}, func() {}})
			return
		}
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Version") != "13" {
			http.Error(w, "no WebSocket", 400)
			return
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
		serve(&tunnel{rw, c, func() { c.(interface{ CloseWrite() error }).CloseWrite() }, func() { c.Close() }})
	})).addr
}

type flushWriter struct {
	w io.Writer
	f http.Flusher
}

func (w flushWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.f.Flush()
	return n, err
}

// openWebSocket opens one to a Host.
func (g *gateway) openWebSocket(t *testing.T, d down, host string) *tunnel {
	t.Helper()
	if !d.http2 {
		c := g.dial(d, host)
		key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
		fmt.Fprintf(c, "GET /chat HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", host, key)
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("open WebSocket: %v", err)
		}
		if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != acceptKey(key) {
			text, _ := io.ReadAll(resp.Body)
			t.Fatalf("open WebSocket: %v %v %s", resp.Status, resp.Header, text)
		}
		return &tunnel{r, c, func() { c.(interface{ CloseWrite() error }).CloseWrite() }, func() { c.Close() }}
	}
	//lint:ignore SA1019 net/http's own client refuses the name of the pseudo-field
	tr := &http2.Transport{AllowHTTP: true, DialTLSContext: func(context.Context, string, string, *tls.Config) (net.Conn, error) { return g.dial(d, host), nil }}
	r, w := io.Pipe()
	scheme := "http"
	if d.tls {
		scheme = "https"
	}
	ctx, cancel := context.WithCancel(t.Context())
	req := (&http.Request{Method: "CONNECT", URL: &url.URL{Scheme: scheme, Host: host, Path: "/chat"}, Host: host, Body: r,
		Header: http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}}}).WithContext(ctx)
	//lint:ignore SA1019 as above
	resp, err := tr.RoundTrip(req)
	if err != nil {
		cancel()
		t.Fatalf("open WebSocket: %v", err)
	}
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		cancel()
		t.Fatalf("open WebSocket: %v %v %s", resp.Status, resp.Header, text)
	}
	stop := func() { cancel(); resp.Body.Close() } // the connection is closed with the test
	t.Cleanup(stop)
	return &tunnel{resp.Body, w, func() { w.Close() }, stop}
}

// writeFrame writes a binary frame, masked with zeros as it were: a mask key of zero is a key.
func writeFrame(w io.Writer, payload []byte, client bool) error {
	mask := byte(0)
	if client {
		mask = 0x80
	}
	head := []byte{0x82}
	switch n := len(payload); {
	case n < 126:
		head = append(head, mask|byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, mask|126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, mask|127), uint64(n))
	}
	if client {
		head = append(head, 0, 0, 0, 0)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

// readFrame reads one; a mask is taken for zero.
func readFrame(r io.Reader) ([]byte, error) {
	var h [8]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return nil, err
	}
	masked := h[1]&0x80 != 0
	n := uint64(h[1] & 0x7f)
	if n >= 126 {
		size := map[uint64]int{126: 2, 127: 8}[n]
		if _, err := io.ReadFull(r, h[8-size:]); err != nil {
			return nil, err
		}
		clear(h[:8-size])
		n = binary.BigEndian.Uint64(h[:])
	}
	if masked {
		if _, err := io.ReadFull(r, h[:4]); err != nil {
			return nil, err
		}
	}
	if n > 32<<20 {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(r, payload)
	return payload, err
}

func echoFrames(c *tunnel) {
	for {
		p, err := readFrame(c)
		if err != nil || writeFrame(c, p, false) != nil {
			return
		}
	}
}

// eachWebSocket runs f for every pairing, with the given Backend behind it.
func eachWebSocket(t *testing.T, config string, serve func(*tunnel), f func(t *testing.T, g *gateway, d down, u up, s service)) {
	var services []service
	for _, u := range ups {
		s := service{host: u.host(), protocol: u.annotation, endpoints: []string{webSocketBackend(t, u, serve)}}
		services = append(services, s)
	}
	g := start(t, config, services...)
	for i, u := range ups {
		for j, d := range downs {
			if testing.Short() && (i+j)%len(ups) != 3 {
				continue
			}
			t.Run(d.name+" to "+u.name, func(t *testing.T) { f(t, g, d, u, services[i]) })
		}
	}
}

func TestWebSocketEcho(t *testing.T) {
	body := make([]byte, 8<<20)
	_, _ = rand.Read(body)
	eachWebSocket(t, "", echoFrames, func(t *testing.T, g *gateway, d down, u up, _ service) {
		c := g.openWebSocket(t, d, u.host())
		defer c.close()
		for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 8 << 20} {
			sent := make(chan error, 1)
			go func() { sent <- writeFrame(c, body[:n], true) }()
			got, err := readFrame(c)
			if err != nil || !bytes.Equal(got, body[:n]) {
				t.Fatalf("a frame of %d bytes came back with %d: %v", n, len(got), err)
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestWebSocketBackpressure sends to an echo and reads nothing, until all windows are full: the gateway keeps
// little of it, and nothing is lost.
func TestWebSocketBackpressure(t *testing.T) {
	measures(t)
	piece := make([]byte, 64<<10)
	_, _ = rand.Read(piece)
	echo := func(c *tunnel) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 32<<10))
	}
	eachWebSocket(t, "", echo, func(t *testing.T, g *gateway, d down, u up, _ service) {
		c := g.openWebSocket(t, d, u.host())
		defer c.close()
		before := g.rss()
		peak := g.watchRSS()
		pieces := 64 << 20 / len(piece)
		moved := make(chan struct{}, pieces)
		go func() {
			for range pieces {
				if _, err := c.Write(piece); err != nil {
					return
				}
				moved <- struct{}{}
			}
			c.closeWrite()
		}()
		for stuck := false; !stuck; {
			select {
			case <-moved:
			case <-time.After(300 * time.Millisecond): // nothing moves any more
				stuck = true
			}
		}
		got := make([]byte, len(piece))
		for i := range pieces {
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, piece) {
				t.Fatalf("piece %d of %d: %v", i, pieces, err)
			}
		}
		if n, err := c.Read(got); n > 0 || err != io.EOF {
			t.Errorf("behind the last piece: %d bytes, %v", n, err)
		}
		grown := peak() - before
		t.Logf("RSS grew by %s", mebibytes(grown))
		if grown > 8<<20 {
			t.Errorf("RSS grew by %s, bar 8 MiB", mebibytes(grown))
		}
	})
}

// TestWebSocketHalfClose: a side that has ended still gets all that the other has to say.
func TestWebSocketHalfClose(t *testing.T) {
	last := make([]byte, 1<<20)
	_, _ = rand.Read(last)
	sayLast := func(c *tunnel) {
		if got, err := io.ReadAll(c); err != nil || string(got) != "question" {
			fmt.Fprintf(c, "got %q, %v", got, err)
			return
		}
		_, _ = c.Write(last)
	}
	eachWebSocket(t, "", sayLast, func(t *testing.T, g *gateway, d down, u up, _ service) {
		c := g.openWebSocket(t, d, u.host())
		defer c.close()
		fmt.Fprint(c, "question")
		c.closeWrite()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, last) {
			t.Errorf("%d bytes, %v; they begin %.60q", len(got), err, got)
		}
	})
}

// TestWebSocketIdle holds still for longer than any timeout of requests allows.
func TestWebSocketIdle(t *testing.T) {
	measures(t)
	idle := 2500 * time.Millisecond
	if long {
		idle = 50 * time.Second
	}
	eachWebSocket(t, "timeouts: {header: 1s, body: 1s, idle: 1s, send: 1s}\n", echoFrames, func(t *testing.T, g *gateway, d down, u up, _ service) {
		t.Parallel()
		c := g.openWebSocket(t, d, u.host())
		defer c.close()
		for range 2 {
			go writeFrame(c, []byte("still here"), true)
			if got, err := readFrame(c); err != nil || string(got) != "still here" {
				t.Fatalf("%q, %v", got, err)
			}
			time.Sleep(idle) // plays a slow peer
		}
	})
}

// TestWebSocketSurvivesSnapshots changes Routes and Endpoints under open connections.
func TestWebSocketSurvivesSnapshots(t *testing.T) {
	eachWebSocket(t, "", echoFrames, func(t *testing.T, g *gateway, d down, u up, s service) {
		var open []*tunnel
		for range 4 {
			open = append(open, g.openWebSocket(t, d, u.host()))
		}
		other := service{host: "other.test", endpoints: s.endpoints}
		for round := 1; round <= 6; round++ {
			before := g.generation()
			changed := s
			if round%2 == 0 {
				changed.endpoints = append([]string{freeAddr(t)}, s.endpoints...) // one more, without a listener
			}
			g.apply(changed, round)
			g.apply(other, round)
			for deadline := time.Now().Add(patience); g.generation() == before; time.Sleep(5 * time.Millisecond) { // asks a process
				if time.Now().After(deadline) {
					t.Fatal("the change is not served")
				}
			}
			for i, c := range open {
				text := fmt.Sprintf("round %d", round)
				go writeFrame(c, []byte(text), true)
				if got, err := readFrame(c); err != nil || string(got) != text {
					t.Fatalf("connection %d after change %d: %q, %v", i, round, got, err)
				}
			}
		}
		g.apply(s, 0)
		for _, c := range open {
			c.close()
		}
	})
}

// TestWebSocketLibrary has x/net/websocket on both ends, in HTTP/1.1, with many connections at once.
func TestWebSocketLibrary(t *testing.T) {
	echo := xwebsocket.Server{Handler: func(c *xwebsocket.Conn) {
		for {
			var text string
			if xwebsocket.Message.Receive(c, &text) != nil || xwebsocket.Message.Send(c, text) != nil {
				return
			}
		}
	}}
	b := startBackend(t, ups[0], echo)
	g := start(t, "", service{host: "h1.test", endpoints: []string{b.addr}})
	for _, d := range downs {
		if d.http2 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					config, _ := xwebsocket.NewConfig("ws://h1.test/", "http://h1.test/")
					c, err := xwebsocket.NewClient(config, g.dial(d, "h1.test"))
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					for j := range 20 {
						want, got := fmt.Sprintf("%d of %d", j, i), ""
						if err := xwebsocket.Message.Send(c, want); err != nil {
							t.Error(err)
							return
						}
						if err := xwebsocket.Message.Receive(c, &got); err != nil || got != want {
							t.Errorf("%q came back as %q: %v", want, got, err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}
