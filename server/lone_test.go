package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// slowLink is a link to an HTTP/2 Endpoint that can hold back what the Endpoint sends, as a longer one would.
type slowLink struct {
	addr  string
	conns atomic.Int64
	reset chan struct{} // the Endpoint has reset a stream
	ended chan struct{} // the gateway has ended one, and the Endpoint's kernel has it

	mu   sync.Mutex
	held bool
	open *sync.Cond
}

func newSlowLink(t *testing.T, to string) *slowLink {
	l := &slowLink{reset: make(chan struct{}, 100), ended: make(chan struct{}, 100)}
	l.open = sync.NewCond(&l.mu)
	l.addr = servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		l.conns.Add(1)
		far, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		go l.pass(c.TCPConn, far, true)
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(c.R, preface); err != nil {
			return
		}
		_, _ = far.Write(preface)
		l.pass(far, c.R, false)
	})
	t.Cleanup(func() { l.hold(false) })
	return l
}

// pass relays frames of one end, the Endpoint's if so, until either end is gone.
func (l *slowLink) pass(to io.Writer, from io.Reader, endpoint bool) {
	queue := make(chan []byte, 1000)
	defer close(queue)
	go func() {
		for frame := range queue {
			l.mu.Lock()
			for l.held {
				l.open.Wait()
			}
			l.mu.Unlock()
			_, _ = to.Write(frame)
		}
		if c, ok := to.(*net.TCPConn); ok && endpoint {
			c.Close()
		}
	}()
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		frame := append(head, make([]byte, binary.BigEndian.Uint32(head)>>8)...)
		if _, err := io.ReadFull(from, frame[9:]); err != nil {
			return
		}
		kind, flags := http2.FrameType(frame[3]), http2.Flags(frame[4])
		if endpoint {
			if kind == http2.FrameRSTStream {
				l.reset <- struct{}{}
			}
			queue <- frame
			continue
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
		if !endpoint && (kind == http2.FrameData || kind == http2.FrameHeaders) && flags.Has(http2.FlagDataEndStream) {
			l.ended <- struct{}{}
		}
	}
}

func (l *slowLink) hold(on bool) {
	l.mu.Lock()
	l.held = on
	l.mu.Unlock()
	l.open.Broadcast()
}

// await waits for one of the link's signals.
func await(t *testing.T, what string, c chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(servertest.Timeout):
		t.Fatalf("waited for %s", what)
	}
}

// hostileTrailers send a request for /early whose end, with trailers, is sent when the function that they return is called.
var hostileTrailers = map[string]func(t *testing.T, g *gateway, head ...string) (end func()){
	"h1": func(_ *testing.T, g *gateway, head ...string) func() {
		c := g.wire()
		text := ""
		for i := 0; i < len(head); i += 2 {
			text += head[i] + ": " + head[i+1] + "\r\n"
		}
		c.Send("%s", "POST /early HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"+text+"\r\n3\r\nabc\r\n")
		return func() { c.Send("0\r\nSum: 1\r\n\r\n") }
	},
	"h2": func(t *testing.T, g *gateway, head ...string) func() {
		c := servertest.DialHTTP2(t, g.addr)
		c.Request(1, "POST", "/early", false, head...)
		_ = c.WriteData(1, false, []byte("abc"))
		return func() { c.Fields(1, true, "sum", "1") }
	},
}

// TestTrailersBehindAnEarlyAnswer: trailers that reach an Endpoint of net/http behind its answer, which has closed the
// stream, harm no request but their own. With 502 before, for all that was under way on the session.
func TestTrailersBehindAnEarlyAnswer(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.H2C, routing.GRPC} {
		for name, begin := range hostileTrailers {
			for _, head := range [][]string{nil, {"trailer", "sum"}, {"te", "trailers", "trailer", "Sum"}} {
				t.Run(fmt.Sprintf("%s to %v with %q", name, p, head), func(t *testing.T) {
					backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/early" {
							w.WriteHeader(403)
							return
						}
						_, _ = io.Copy(w, r.Body)
					}))
					link := newSlowLink(t, backend)
					g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
					g.serveProtocol(p, link.addr)
					innocent := g.wire()
					innocent.Send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
					if g.settle(); name == "h1" && head != nil && head[0] == "te" {
						head = append([]string{"connection", "te"}, head...)
					}
					for range 3 {
						link.hold(true)
						end := begin(t, g, head...)
						await(t, "the early answer", link.reset)
						end()
						await(t, "the trailers, or the end in place of them", link.ended)
						link.hold(false)
					}
					innocent.Send("3\r\ndef\r\n0\r\n\r\n")
					if a := innocent.ReadAnswer("POST"); a.StatusCode != 200 || a.Text != "abcdef" || a.Cut != nil {
						t.Errorf("the innocent request got %d %q, %v", a.StatusCode, a.Text, a.Cut)
					}
				})
			}
		}
	}
}

// TestTrailersToWhomThereAreNone: trailers harm no other request at an Endpoint that ends the connection for them, as
// grpc-go does; those of a client that announces none do not even harm its own. The Endpoint stays in rotation.
func TestTrailersToWhomThereAreNone(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	holds := make(chan func(), 10)
	pod := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		conns.Add(1)
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		last := uint32(0)
		var writing sync.Mutex
		answer := func(id uint32, fields ...string) {
			writing.Lock()
			defer writing.Unlock()
			c.Fields(id, true, fields...)
		}
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.MetaHeadersFrame:
				id := f.StreamID
				if id <= last {
					writing.Lock()
					_ = c.WriteGoAway(last, http2.ErrCodeProtocol, nil)
					writing.Unlock()
					return
				}
				last = id
				switch f.PseudoValue("path") {
				case "/hold":
					holds <- func() { answer(id, ":status", "200", "grpc-status", "0") }
				case "/":
					answer(id, ":status", "204")
				}
			case *http2.PingFrame:
				if !f.IsAck() {
					writing.Lock()
					_ = c.WritePing(true, f.Data)
					writing.Unlock()
				}
			case *http2.DataFrame:
				if f.StreamEnded() {
					answer(f.StreamID, ":status", "204")
				}
			}
		}
	})
	other := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		for id := c.NextHead(); id != 0; id = c.NextHead() {
			c.Fields(id, true, ":status", "204")
		}
	})
	for name, begin := range hostileTrailers {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveProtocol(routing.GRPC, pod)
			innocent := g.wire()
			innocent.Send("GET /hold HTTP/1.1\r\nHost: a.test\r\n\r\n")
			release := <-holds
			for range 4 {
				for _, head := range [][]string{nil, {"trailer", "sum"}} {
					before := g.ended()
					begin(t, g, head...)()
					servertest.Until(t, "the request to end", func() bool { return g.ended() > before })
				}
			}
			release()
			if a := innocent.ReadAnswer("GET"); a.StatusCode != 200 || a.Cut != nil {
				t.Errorf("the innocent request got %d, %v", a.StatusCode, a.Cut)
			}
			g = newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveProtocol(routing.GRPC, pod, other)
			for range 40 {
				before := g.ended()
				begin(t, g, "trailer", "sum")()
				servertest.Until(t, "the request to end", func() bool { return g.ended() > before })
			}
			if n := g.ejected(); n != 0 {
				t.Errorf("%d Endpoints ejected", n)
			}
		})
	}
}

// TestLoneSessions: requests that announce trailers have a session each, one after the other the same one; no other gets it,
// and where there is no place for one they go without their trailers.
func TestLoneSessions(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 10)
	hold := make(chan struct{})
	var conns sync.Map
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		if r.URL.Path == "/hold" {
			<-hold
		}
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- r.RemoteAddr + " " + r.Trailer.Get("Sum")
	}))
	send := func(c *servertest.Wire, path, head string) {
		c.Send("%s", "POST "+path+" HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"+head+"\r\n3\r\nabc\r\n0\r\nSum: 42\r\n\r\n")
	}
	g := newGateway(t, func(c *config.Config) {
		c.Threads = 1
		c.Upstream.MaxIdlePerEndpoint = 2
	}, Options{})
	g.serveProtocol(routing.H2C, backend)
	c := g.wire()
	ask := func(head string) (conn, sum string) {
		send(c, "/", head)
		if a := c.ReadAnswer("POST"); a.StatusCode != 200 {
			t.Fatal(a.StatusCode)
		}
		conn, sum, _ = strings.Cut(servertest.NextSeen(t, seen), " ")
		return conn, sum
	}
	shared, sum := ask("")
	if sum != "" {
		t.Errorf("trailers that were not announced: %q", sum)
	}
	alone, sum := ask("Trailer: Sum\r\n")
	if alone == shared || sum != "42" {
		t.Errorf("announced: trailers %q, by the same session %v", sum, alone == shared)
	}
	for range 5 {
		servertest.Until(t, "the session to be free", func() bool { open, free := g.lone(); return open == 1 && free == 1 })
		if conn, sum := ask("Trailer: Sum\r\n"); conn != alone || sum != "42" {
			t.Errorf("announced: trailers %q, by the same session %v", sum, conn == alone)
		}
		if conn, _ := ask(""); conn != shared {
			t.Error("another session for those that share one")
		}
	}
	var held []*servertest.Wire
	for range 5 {
		c := g.wire()
		send(c, "/hold", "Trailer: Sum\r\n")
		held = append(held, c)
	}
	servertest.Until(t, "a session for each", func() bool { open, _ := g.lone(); return open == len(held) })
	close(hold)
	for _, c := range held {
		if a := c.ReadAnswer("POST"); a.StatusCode != 200 {
			t.Error(a.StatusCode)
		}
		if _, sum, _ := strings.Cut(servertest.NextSeen(t, seen), " "); sum != "42" {
			t.Errorf("trailers %q", sum)
		}
	}
	servertest.Until(t, "what is above max_idle_per_endpoint to close", func() bool { open, free := g.lone(); return open == 2 && free == 2 })

	for most, want := range map[int]string{1: "", 2: "42"} {
		g := newGateway(t, func(c *config.Config) {
			c.Threads = 1
			c.Upstream.MaxConnectionsPerEndpoint = most
		}, Options{})
		g.serveProtocol(routing.H2C, backend)
		c = g.wire()
		if _, sum := ask("Trailer: Sum\r\n"); sum != want {
			t.Errorf("at most %d connections: trailers %q, want %q", most, sum, want)
		}
		if _, sum := ask(""); sum != "" {
			t.Errorf("at most %d connections: trailers %q", most, sum)
		}
	}
}
