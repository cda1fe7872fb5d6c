package h2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// The second implementation end to end: net/http's client against the server's role, and net/http's
// server against the client's role, over an in-memory pipe.

// glue runs a Conn on a net.Conn under a lock, as a loop would run it on a socket.
type glue struct {
	mu   sync.Mutex
	cond *sync.Cond
	nc   net.Conn
	c    *Conn
	done bool
}

func newGlue(nc net.Conn) *glue {
	g := &glue{nc: nc}
	g.cond = sync.NewCond(&g.mu)
	return g
}

// run reads until the connection is over; writing has a goroutine of its own, since a pipe blocks.
func (g *glue) run() {
	go func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for !g.done || len(g.c.Output()) > 0 {
			if len(g.c.Output()) == 0 {
				g.cond.Wait()
				continue
			}
			out := bytes.Clone(g.c.Output())
			g.c.Wrote(len(out))
			g.mu.Unlock()
			_, err := g.nc.Write(out)
			g.mu.Lock()
			if err != nil {
				return
			}
		}
		g.nc.Close()
	}()
	buf := make([]byte, 7777)
	for {
		n, err := g.nc.Read(buf)
		g.mu.Lock()
		if err == nil {
			err = g.c.Feed(1e9, buf[:n])
		}
		g.done = err != nil
		g.cond.Signal()
		g.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// echo is a server that sends back the request: its head's lines, its body, and its trailers.
type echo struct {
	recorder
	queued map[*Stream]*pending
}

type pending struct {
	body     []byte
	end      bool
	trailers []byte
}

func (e *echo) Request(s *Stream, q *message.Request, head []byte, end bool) {
	p := &pending{}
	e.queued[s] = p
	lines := "Content-Type: text/plain\r\nX-Target: " + string(q.Target.Of(head)) + "\r\n"
	for _, f := range q.Fields {
		if f.ID == message.FieldOther || f.ID == message.FieldCookie {
			lines += "X-Echo-" + string(f.Name.Of(head)) + ": " + string(f.Value.Of(head)) + "\r\n"
		}
	}
	if end {
		p.body, p.end = []byte("nothing"), true
	}
	e.c.WriteHead(s, 200, Outgoing{Lines: []byte(lines)}, false)
	e.send(s)
}

func (e *echo) send(s *Stream) {
	p := e.queued[s]
	n := e.c.WriteData(s, p.body, p.end && p.trailers == nil)
	p.body = p.body[n:]
	if s.held > 0 {
		e.c.Consumed(s, min(n, int(s.held)))
	}
	if p.end && len(p.body) == 0 {
		if p.trailers != nil {
			e.c.WriteTrailers(s, Outgoing{Lines: p.trailers})
		}
		delete(e.queued, s)
		e.c.Release(s)
	}
}

func (e *echo) Data(s *Stream, p []byte, end bool) {
	q := e.queued[s]
	q.body = append(q.body, p...)
	q.end = end
	e.send(s)
}

func (e *echo) Trailers(s *Stream, t *message.Head, b []byte) {
	q := e.queued[s]
	q.end, q.trailers = true, bytes.Clone(b[:t.HeadLen-2])
	e.send(s)
}

func (e *echo) Writable(s *Stream) { e.send(s) }

func (e *echo) Reset(s *Stream, code Code) {
	delete(e.queued, s)
	e.c.Release(s)
}

func TestNetHTTPClient(t *testing.T) {
	var mu sync.Mutex
	var glues []*glue
	cc := &http.Transport{Protocols: &http.Protocols{}, DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		g := newGlue(far)
		e := &echo{queued: map[*Stream]*pending{}}
		g.c = NewShared(Config{StreamWindow: 70000, ConnWindow: 100000}).NewServer(1e9, e)
		e.c = g.c
		mu.Lock()
		glues = append(glues, g)
		mu.Unlock()
		go g.run()
		return near, nil
	}}
	cc.Protocols.SetUnencryptedHTTP2(true)
	defer cc.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			size := i * i * 3000
			body := make([]byte, size)
			rand.NewChaCha8([32]byte{byte(i)}).Read(body)
			r, _ := http.NewRequest("POST", fmt.Sprintf("http://test.com/a/%d?q=%d", i, size), io.MultiReader(bytes.NewReader(body)))
			r.Header.Set("X-Value", strings.Repeat("v", i*100))
			r.Header.Add("Cookie", "a=1; b=2")
			r.Trailer = http.Header{"X-Sum": {"abc"}}
			resp, err := cc.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			back, err := io.ReadAll(resp.Body)
			if err != nil || sha256.Sum256(back) != sha256.Sum256(body) {
				t.Errorf("%d: %d of %d bytes, %v", i, len(back), size, err)
			}
			if h := resp.Header; h.Get("X-Echo-X-Value") != strings.Repeat("v", i*100) || h.Get("X-Echo-Cookie") != "a=1; b=2" ||
				h.Get("X-Target") != r.URL.RequestURI() || resp.Trailer.Get("X-Sum") != "abc" {
				t.Errorf("%d: %v, trailers %v", i, h, resp.Trailer)
			}
		})
	}
	wg.Wait()
	// A cancelled request leaves the connection as it was.
	ctx, cancel := context.WithCancel(context.Background())
	pr, pw := io.Pipe()
	r, _ := http.NewRequestWithContext(ctx, "POST", "http://test.com/", pr)
	resp, err := cc.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	pw.Write([]byte("x"))
	cancel()
	pw.CloseWithError(context.Canceled) // net/http looks at the one when the other is done
	io.ReadAll(resp.Body)
	r, _ = http.NewRequest("GET", "http://test.com/", nil)
	if resp, err = cc.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "nothing" {
		t.Errorf("%q, %v", b, err)
	}
	resp.Body.Close()
	for _, g := range glues {
		g.mu.Lock()
		if g.c.Err() != nil || g.c.live != 0 {
			t.Errorf("%v, %d streams left", g.c.Err(), g.c.live)
		}
		g.mu.Unlock()
	}
}

// caller is the handler of a client that collects what comes.
type caller struct {
	recorder
	body, offer map[*Stream][]byte
	code        map[*Stream]int
	sums        map[*Stream]string
	ended       int
}

func (l *caller) Response(s *Stream, q *message.Response, head []byte, end bool) {
	l.code[s] = int(q.Code)
	if end {
		l.ended++
	}
}

func (l *caller) Data(s *Stream, p []byte, end bool) {
	l.body[s] = append(l.body[s], p...)
	l.c.Consumed(s, len(p))
	if end {
		l.ended++
	}
}

func (l *caller) Trailers(s *Stream, h *message.Head, b []byte) {
	if i := h.FindName(b, "x-sum", 0); i >= 0 {
		l.sums[s] = string(h.Fields[i].Value.Of(b))
	}
	l.ended++
}

func (l *caller) Writable(s *Stream) { l.offer[s] = l.offer[s][l.c.WriteData(s, l.offer[s], true):] }

// single is a listener with one connection.
type single struct{ conns chan net.Conn }

func (l single) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l single) Close() error   { close(l.conns); return nil }
func (l single) Addr() net.Addr { return &net.TCPAddr{} }

func TestNetHTTPServer(t *testing.T) {
	near, far := net.Pipe()
	server := &http.Server{Protocols: &http.Protocols{}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(200)
		n, _ := io.Copy(w, r.Body)
		w.Header().Set("X-Sum", fmt.Sprint(n, r.Host, r.URL, r.Header.Get("X-V")))
	})}
	server.Protocols.SetUnencryptedHTTP2(true)
	listener := single{make(chan net.Conn, 1)}
	listener.conns <- far
	go server.Serve(listener)
	defer server.Close()
	g := newGlue(near)
	l := &caller{body: map[*Stream][]byte{}, offer: map[*Stream][]byte{}, code: map[*Stream]int{}, sums: map[*Stream]string{}}
	g.c = NewShared(Config{StreamWindow: 70000, ConnWindow: 100000}).NewClient(1e9, l, false)
	l.c = g.c
	go g.run()
	g.mu.Lock()
	sent := map[*Stream][]byte{}
	for i := range 10 {
		body := make([]byte, 1+i*30000)
		rand.NewChaCha8([32]byte{byte(i)}).Read(body)
		const head = "POST /x HTTP/1.1\r\nHost: test.com\r\nTransfer-Encoding: chunked\r\nX-V: 1\r\n\r\n"
		s, ok := openGet(g.c, head)
		if !ok {
			t.Fatal("not opened")
		}
		sent[s] = body
		l.offer[s] = body
		l.Writable(s)
	}
	for l.ended < len(sent) && !g.done {
		g.cond.Signal()
		g.mu.Unlock()
		g.mu.Lock()
	}
	for s, body := range sent {
		if l.code[s] != 200 || !bytes.Equal(l.body[s], body) || l.sums[s] != fmt.Sprint(len(body), "test.com", "/x", "1") {
			t.Errorf("%d: %d, %d of %d bytes, %q", s.ID(), l.code[s], len(l.body[s]), len(body), l.sums[s])
		}
		g.c.Release(s)
	}
	if g.c.Err() != nil || g.c.live != 0 {
		t.Errorf("%v, %d streams left", g.c.Err(), g.c.live)
	}
	g.mu.Unlock()
	near.Close()
}
