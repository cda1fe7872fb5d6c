package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// grpcMessage frames p as gRPC does.
func grpcMessage(p []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(p))), p...)
}

// readGRPCFrame reads one frame; err is io.EOF where none begins.
func readGRPCFrame(r io.Reader) (flags byte, p []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	p = make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(r, p)
	return head[0], p, err
}

// textReader decodes text group by group, as soon as each is there.
type textReader struct {
	r    *bufio.Reader
	b    [3]byte
	rest []byte
}

func newTextReader(r io.Reader) *textReader { return &textReader{r: bufio.NewReader(r)} }

func (t *textReader) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		var group [4]byte
		if _, err := io.ReadFull(t.r, group[:]); err != nil {
			return 0, err
		}
		n, err := base64.StdEncoding.Decode(t.b[:], group[:])
		if err != nil {
			return 0, err
		}
		t.rest = t.b[:n]
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// call is a gRPC-Web response as a client sees it.
type call struct {
	*http.Response
	frames io.Reader
}

// message reads the next message.
func (c *call) message() ([]byte, error) {
	flags, p, err := readGRPCFrame(c.frames)
	if err == nil && flags != 0 {
		err = fmt.Errorf("frame with flags %#x: %q", flags, p)
	}
	return p, err
}

// end reads what must be the frame of the trailers, and the end behind it.
func (c *call) end(t *testing.T) string {
	t.Helper()
	flags, p, err := readGRPCFrame(c.frames)
	if flags != 0x80 || err != nil {
		t.Errorf("want trailers, got flags %#x, %.200q, %v", flags, p, err)
	}
	if n, err := io.Copy(io.Discard, c.frames); n > 0 || err != nil {
		t.Errorf("behind the trailers: %d bytes, %v", n, err)
	}
	c.Body.Close()
	return string(p)
}

// webClient is a gRPC-Web client of one form, by one protocol.
type webClient struct {
	*http.Client
	base string
	text bool
}

// do sends a request whose body is already encoded. accept may be "".
func (c *webClient) do(t *testing.T, ctx context.Context, path string, body io.Reader, accept string) *call {
	t.Helper()
	req, _ := http.NewRequestWithContext(ctx, "POST", c.base+path, body)
	req.Header.Set("Content-Type", "application/grpc-web+proto")
	if c.text {
		req.Header.Set("Content-Type", "application/grpc-web-text+proto")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	req.Header.Set("X-Grpc-Web", "1")
	if path == "/late" {
		req.Header.Set("Grpc-Timeout", "50m")
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/grpc-web-text") {
		return &call{resp, newTextReader(resp.Body)}
	}
	return &call{resp, resp.Body}
}

// post sends the bytes of messages whole.
func (c *webClient) post(t *testing.T, path string, frames []byte) *call {
	t.Helper()
	return c.do(t, t.Context(), path, bytes.NewReader(c.encode(frames)), "")
}

// encode makes one part of p.
func (c *webClient) encode(p []byte) []byte {
	if c.text {
		return base64.StdEncoding.AppendEncode(nil, p)
	}
	return p
}

// TestGRPCWeb sends calls of every kind in both forms by both protocols to a Backend that knows gRPC only.
func TestGRPCWeb(t *testing.T) {
	t.Parallel()
	next := make(chan bool)     // lets the Backend send one more message
	canceled := make(chan bool) // a call was
	big := grpcMessage(servertest.Pattern(1 << 20))
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ct := r.Header.Values("Content-Type"); r.ProtoMajor != 2 || len(ct) != 1 || ct[0] != "application/grpc+proto" || r.Header.Get("Te") != "trailers" {
			t.Errorf("%s by %s, type %q, te %q", r.URL.Path, r.Proto, ct, r.Header.Get("Te"))
		}
		w.Header().Set("Content-Type", "application/grpc+proto")
		flush := w.(http.Flusher).Flush
		trailer := func(name, value string) { w.Header().Set(http.TrailerPrefix+name, value) }
		switch r.URL.Path {
		case "/echo": // every message of the request, when all of it is here
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("the request's body: %v", err)
			}
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
			flush()
			_, _ = w.Write(body)
			trailer("Grpc-Status", "0")
			trailer("X-Cost", "7")
		case "/chat": // every message as it comes
			flush()
			for {
				_, p, err := readGRPCFrame(r.Body)
				if err != nil {
					break
				}
				_, _ = w.Write(grpcMessage(p))
				flush()
			}
			trailer("Grpc-Status", "0")
		case "/stream":
			flush()
			for i := range 5 {
				<-next
				_, _ = w.Write(grpcMessage(fmt.Appendf(nil, "message %d", i)))
				flush()
			}
			<-next
			trailer("Grpc-Status", "0")
		case "/error":
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = w.Write(grpcMessage([]byte("one")))
			flush()
			w.Header().Set("Grpc-Status", "5")
			trailer("Grpc-Message", "no %C3%A9cole")
			trailer("Grpc-Status-Details-Bin", "CAUSBHRleHQ")
		case "/only":
			w.Header().Set("Grpc-Status", "7")
			w.Header().Set("Grpc-Message", "not you")
			w.Header().Set("Grpc-Status-Details-Bin", "CAcSB25vdCB5b3U")
			w.Header().Set("X-Custom", "kept")
		case "/empty": // no message, but trailers behind the head
			flush()
			trailer("Grpc-Status", "0")
		case "/plain":
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(415)
			_, _ = io.WriteString(w, "what?")
		case "/sized": // a length, and trailers all the same
			p := grpcMessage([]byte("sized"))
			w.Header().Set("Content-Length", fmt.Sprint(len(p)))
			_, _ = w.Write(p)
			trailer("Grpc-Status", "0")
		case "/cut":
			_, _ = w.Write(grpcMessage([]byte("one")))
			flush()
			panic(http.ErrAbortHandler)
		case "/late": // than the call's deadline
			<-r.Context().Done()
		case "/cancel":
			// Over HTTP/1.1 only a write shows that the client has left.
			for r.Context().Err() == nil {
				_, _ = w.Write(grpcMessage(big[:1000]))
				flush()
			}
			canceled <- true
		}
	})
	clear, secure := servertest.StartBackend(t, false, app), servertest.StartBackend(t, true, app)
	for _, down := range []servertest.Pairing{
		{Name: "h1", Scheme: "http", Down: servertest.HTTP1Client, Protocol: routing.GRPC},
		{Name: "h2c", Scheme: "http", Down: servertest.HTTP2Client, Protocol: routing.GRPC},
		{Name: "h1+tls", Scheme: "https", Down: servertest.HTTP1Client, Protocol: routing.GRPCS},
		{Name: "h2+tls", Scheme: "https", Down: servertest.HTTP2Client, Protocol: routing.GRPCS},
	} {
		for _, text := range []bool{false, true} {
			name := down.Name + " binary"
			want := "application/grpc-web+proto"
			if text {
				name, want = down.Name+" text", "application/grpc-web-text+proto"
			}
			t.Run(name, func(t *testing.T) {
				g := newGateway(t, nil, Options{})
				c := &webClient{down.Down(t), "http://" + g.addr, text}
				backend := clear
				if down.Scheme == "https" {
					c.base, backend = "https://"+g.secureAddr, secure
				}
				g.serveProtocol(down.Protocol, backend)
				check := func(r *call, status int) {
					t.Helper()
					if ct := r.Header.Values("Content-Type"); r.StatusCode != status || len(ct) != 1 || ct[0] != want {
						t.Errorf("%d, type %q", r.StatusCode, ct)
					}
					if r.ContentLength > 0 || r.Header.Get("Trailer") != "" || r.Header.Get("Grpc-Status") != "" || len(r.Trailer) > 0 {
						t.Errorf("length %d, head %v, trailers %v", r.ContentLength, r.Header, r.Trailer)
					}
				}
				for range 3 { // on one connection
					r := c.post(t, "/echo", grpcMessage([]byte("hello")))
					check(r, 200)
					if p, err := r.message(); string(p) != "hello" || err != nil {
						t.Errorf("unary: %q, %v", p, err)
					}
					if got := r.end(t); got != "grpc-status: 0\r\nx-cost: 7\r\n" && got != "x-cost: 7\r\ngrpc-status: 0\r\n" {
						t.Errorf("unary: trailers %q", got)
					}
					if length := r.Header.Get("X-Length"); text && length != "-1" || !text && length != "10" {
						t.Errorf("the Backend was told a length of %s", length)
					}
				}

				r := c.post(t, "/echo", big)
				if p, err := r.message(); !bytes.Equal(p, big[5:]) || err != nil {
					t.Errorf("large: %d bytes, %v", len(p), err)
				}
				r.end(t)

				r = c.post(t, "/stream", nil)
				check(r, 200)
				for i := range 5 {
					next <- true
					if p, err := r.message(); string(p) != fmt.Sprintf("message %d", i) || err != nil {
						t.Errorf("stream: %q, %v", p, err)
					}
				}
				next <- true
				if got := r.end(t); got != "grpc-status: 0\r\n" {
					t.Errorf("stream: trailers %q", got)
				}

				r = c.post(t, "/error", nil)
				check(r, 200)
				if p, err := r.message(); string(p) != "one" || err != nil {
					t.Errorf("error: %q, %v", p, err)
				}
				got := r.end(t)
				for _, line := range []string{"grpc-status: 5\r\n", "grpc-message: no %C3%A9cole\r\n", "grpc-status-details-bin: CAUSBHRleHQ\r\n"} {
					if !strings.Contains(got, line) {
						t.Errorf("error: trailers %q, want %q", got, line)
					}
				}

				r = c.post(t, "/only", nil)
				check(r, 200)
				if got := r.end(t); !strings.Contains(got, "grpc-status: 7\r\n") || !strings.Contains(got, "grpc-message: not you\r\n") ||
					!strings.Contains(got, "grpc-status-details-bin: CAcSB25vdCB5b3U\r\n") || r.Header.Get("X-Custom") != "kept" {
					t.Errorf("trailers-only: %q, head %v", got, r.Header)
				}

				r = c.post(t, "/empty", nil)
				check(r, 200)
				if got := r.end(t); got != "grpc-status: 0\r\n" {
					t.Errorf("empty: trailers %q", got)
				}

				r = c.post(t, "/sized", nil)
				if p, err := r.message(); string(p) != "sized" || err != nil {
					t.Errorf("sized: %q, %v", p, err)
				}
				if got := r.end(t); got != "grpc-status: 0\r\n" {
					t.Errorf("sized: trailers %q", got)
				}

				r = c.post(t, "/late", nil)
				if got := r.end(t); !strings.HasPrefix(got, "grpc-status: 4\r\n") {
					t.Errorf("late: trailers %q", got)
				}

				r = c.post(t, "/plain", nil)
				if body, err := io.ReadAll(r.Body); r.StatusCode != 415 || r.Header.Get("Content-Type") != "text/plain" || string(body) != "what?" || err != nil {
					t.Errorf("what is not gRPC: %d %v %q %v", r.StatusCode, r.Header, body, err)
				}

				r = c.post(t, "/cut", nil)
				if p, err := r.message(); string(p) != "one" || err != nil {
					t.Errorf("cut: %q, %v", p, err)
				}
				if _, err := io.ReadAll(r.frames); err == nil {
					t.Errorf("a cut response looks whole")
				}

				ctx, cancel := context.WithCancel(t.Context())
				c.do(t, ctx, "/cancel", nil, "")
				cancel()
				<-canceled

				// The request in pieces of every size, and where it is text in parts that are padded by themselves. By
				// HTTP/1, net/http's client does not read a response while it sends.
				for size := 1; size < 12; size++ {
					read, write := io.Pipe()
					go func() {
						for _, p := range bytes.SplitAfter(grpcMessage([]byte("a message in pieces")), []byte(" ")) {
							for part := c.encode(p); len(part) > 0; {
								n := min(size, len(part))
								if _, err := write.Write(part[:n]); err != nil {
									return
								}
								part = part[n:]
							}
						}
						write.Close()
					}()
					r = c.do(t, t.Context(), "/echo", read, "")
					if p, err := r.message(); string(p) != "a message in pieces" || err != nil {
						t.Errorf("in pieces of %d: %q, %v", size, p, err)
					}
					r.end(t)
				}

				if strings.HasPrefix(down.Name, "h2") { // both ways at a time
					read, write := io.Pipe()
					r := c.do(t, t.Context(), "/chat", read, "")
					for i := range 5 {
						p := fmt.Appendf(nil, "%d", i)
						_, _ = write.Write(c.encode(grpcMessage(p)))
						if got, err := r.message(); !bytes.Equal(got, p) || err != nil {
							t.Errorf("chat: %q, %v", got, err)
						}
					}
					write.Close()
					r.end(t)
				}

				// Accept decides the form of the response.
				for _, tt := range []struct {
					accept, want string
				}{
					{"*/*", want},
					{"application/grpc-web-text", "application/grpc-web-text+proto"},
					{"text/x;q=0.5, application/grpc-web+proto;q=1, application/grpc-web-text", "application/grpc-web+proto"},
				} {
					r := c.do(t, t.Context(), "/echo", bytes.NewReader(c.encode(grpcMessage([]byte("hi")))), tt.accept)
					if p, err := r.message(); string(p) != "hi" || err != nil || r.Header.Get("Content-Type") != tt.want {
						t.Errorf("accepting %q: %q, %v, type %q", tt.accept, p, err, r.Header.Get("Content-Type"))
					}
					r.end(t)
				}
			})
		}
	}
}

// TestGRPCWebRefused: answers of the gateway's own, and text that is none.
func TestGRPCWebRefused(t *testing.T) {
	t.Parallel()
	read := make(chan error, 8)
	app := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "0")
	}))
	for _, down := range []struct {
		name   string
		client func(*testing.T) *http.Client
	}{{"h1", servertest.HTTP1Client}, {"h2c", servertest.HTTP2Client}} {
		for _, text := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s text=%v", down.name, text), func(t *testing.T) {
				g := newGateway(t, nil, Options{})
				c := &webClient{down.client(t), "http://" + g.addr, text}
				refused := func(what string, r *call, want string) {
					t.Helper()
					if got := r.end(t); r.StatusCode != 200 || !strings.HasPrefix(got, want) || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc-web") {
						t.Errorf("%s: %d, type %q, trailers %q", what, r.StatusCode, r.Header.Get("Content-Type"), got)
					}
				}
				g.serveProtocol(routing.GRPC, "127.0.0.1:1")
				refused("nobody listens", c.post(t, "/", grpcMessage([]byte("x"))), "grpc-status: 14\r\ngrpc-message: cannot connect")
				g.serveProtocol(routing.GRPC)
				refused("no endpoint", c.post(t, "/", nil), "grpc-status: 14\r\n")
				g.serveBackend(&asked.Policy{Limits: asked.Limits{BodyBytes: 10}}, &routing.Backend{Protocol: routing.GRPC}, app)
				refused("too large", c.post(t, "/", make([]byte, 100)), "grpc-status: 8\r\n")
				if text {
					g.serveProtocol(routing.GRPC, app)
					for _, body := range []string{"!", "AAAA=", "AAA", "AA==A"} {
						refused("text "+body, c.do(t, t.Context(), "/", strings.NewReader(body), ""), "grpc-status: 13\r\n")
						refused("text "+body+" of unknown length", c.do(t, t.Context(), "/", io.MultiReader(strings.NewReader(body)), ""), "grpc-status: 13\r\n")
					}
				}
			})
		}
	}
	for len(read) > 0 {
		if err := <-read; err == nil {
			t.Errorf("the Backend took a refused body for whole")
		}
	}
}

// TestGRPCWebOtherBackend: a Backend that does not speak gRPC gets such a request as it is.
func TestGRPCWebOtherBackend(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	app := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = io.Copy(w, r.Body)
	}))
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		g.serveProtocol(p, app)
		c := g.wire()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 4\r\n\r\n!!!!")
		if got := c.ReadAnswer("POST"); got.Text != "!!!!" || got.Header.Get("Content-Type") != "application/grpc-web-text" {
			t.Errorf("%v: %d %v %q", p, got.StatusCode, got.Header, got.Text)
		}
	}
}

// TestGRPCWebWire looks at the bytes of HTTP/1: pipelined requests, HTTP/1.0, and a client that leaves half-way.
func TestGRPCWebWire(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	app := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.URL.Path == "/cut" {
			ended <- err
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = w.Write(body)
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}))
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.GRPC, app)
	status := base64.StdEncoding.EncodeToString([]byte("\x80\x00\x00\x00\x10grpc-status: 0\r\n"))

	c := g.wire()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"3\r\nYWI\r\n1\r\n=\r\n7\r\nYQ==YWJ\r\n1\r\nj\r\n0\r\nX-Trailer: dropped\r\n\r\n" +
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 8\r\n\r\nYQ==YQ==" +
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
	for _, want := range []string{"ab" + "a" + "abc", "aa", "ab"} {
		got := c.ReadAnswer("POST")
		text := got.Text
		if got.Header.Get("Content-Type") == "application/grpc-web" {
			text = base64.StdEncoding.EncodeToString([]byte(text))
			want = base64.StdEncoding.EncodeToString([]byte(want + "\x80\x00\x00\x00\x10grpc-status: 0\r\n"))
		} else {
			want = base64.StdEncoding.EncodeToString([]byte(want)) + status
		}
		if text != want || got.Cut != nil || len(got.TransferEncoding) != 1 {
			t.Errorf("%d %v %q, %v, want %q", got.StatusCode, got.Header, text, got.Cut, want)
		}
	}
	c.WantClosed()

	// The next request comes with the end of a body that began before.
	c = g.wire()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 8\r\n\r\nYWJ")
	g.settle()
	c.Send("jYQ==POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nYQ")
	g.settle()
	c.Send("\r\n2\r\n==\r\n0\r\n\r\nGET /")
	for _, want := range []string{"abca", "a"} {
		if got := c.ReadAnswer("POST"); got.Text != base64.StdEncoding.EncodeToString([]byte(want))+status {
			t.Errorf("%d %v %q, %v, want %q", got.StatusCode, got.Header, got.Text, got.Cut, want)
		}
	}

	c = g.wire()
	c.Send("POST / HTTP/1.0\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 4\r\n\r\nYWJj")
	if got := c.ReadAnswer("POST"); got.Text != "YWJj"+status || len(got.TransferEncoding) > 0 || !got.Close {
		t.Errorf("HTTP/1.0: %d %v %q", got.StatusCode, got.Header, got.Text)
	}

	for _, request := range []string{"Content-Length: 100\r\n\r\nYWJj", "Transfer-Encoding: chunked\r\n\r\n4\r\nYWJj\r\n"} {
		c = g.wire()
		c.Send("POST /cut HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\n" + request)
		g.settle()
		c.CloseWrite()
		if err := <-ended; err == nil {
			t.Errorf("the Backend took half a body for whole: %q", request)
		}
		c.Close()
	}
}

// TestGRPCWebPieces sends text in parts, chunks and writes of random sizes over one connection.
func TestGRPCWebPieces(t *testing.T) {
	t.Parallel()
	app := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("Grpc-Message", fmt.Sprintf("%d %08x %v", len(body), crc32.ChecksumIEEE(body), err))
	}))
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.GRPC, app)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	c := g.wire()
	for i := range 100 {
		body := servertest.Pattern(random.IntN(1 << random.IntN(18)))
		var text, request []byte
		for rest := body; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			text = grpcweb.AppendText(text, rest[:n])
			rest = rest[n:]
		}
		request = append(request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\n"...)
		if random.IntN(2) == 0 {
			request = append(fmt.Appendf(request, "Content-Length: %d\r\n\r\n", len(text)), text...)
		} else {
			request = append(request, "Transfer-Encoding: chunked\r\n\r\n"...)
			for rest := text; len(rest) > 0; {
				n := 1 + random.IntN(len(rest))
				request = fmt.Appendf(request, "%x;x=y\r\n%s\r\n", n, rest[:n])
				rest = rest[n:]
			}
			request = append(request, "0\r\n\r\n"...)
		}
		for rest := request; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			c.Send("%s", rest[:n])
			rest = rest[n:]
			g.settle()
		}
		want := fmt.Sprintf("grpc-message: %d %08x <nil>\r\n", len(body), crc32.ChecksumIEEE(body))
		got := c.ReadAnswer("POST")
		if frame, err := base64.StdEncoding.DecodeString(got.Text); err != nil || !strings.Contains(string(frame), want) {
			t.Fatalf("seed %d, request %d: %d %q, want %q", seed, i, got.StatusCode, frame, want)
		}
	}
}

// TestGRPCWebSlowBackend: a Backend that reads nothing stops the client at the buffers' bounds.
func TestGRPCWebSlowBackend(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	release := make(chan bool)
	app := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("Grpc-Message", fmt.Sprint(n))
	}))
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.GRPC, app)
	c := g.wire()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: %d\r\n\r\n", size)
	text := bytes.Repeat([]byte("A"), 1<<20)
	n := 0
	for n < size {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		k, err := c.Write(text)
		if n += k; err != nil {
			break
		}
	}
	t.Logf("%d KiB were taken", n>>10)
	if n > size/2 { // the kernel's buffers are the most of it
		t.Errorf("the client could send %d MiB", n>>20)
	}
	if n := g.held(); n > gatewayBuffers {
		t.Errorf("the gateway holds %d KiB", n>>10)
	}
	close(release)
	c.SetDeadline(time.Now().Add(servertest.Timeout))
	for n < size {
		k, err := c.Write(text[:min(len(text), size-n)])
		if n += k; err != nil {
			t.Fatal(err)
		}
	}
	got := c.ReadAnswer("POST")
	if frame, err := base64.StdEncoding.DecodeString(got.Text); err != nil || !strings.Contains(string(frame), fmt.Sprintf("grpc-message: %d\r\n", size/4*3)) {
		t.Errorf("%d %q", got.StatusCode, frame)
	}
}

// TestGRPCWebSlowReader: a client that reads nothing stops the Backend at the buffers' bounds, and gets all of it once it
// reads.
func TestGRPCWebSlowReader(t *testing.T) {
	t.Parallel()
	const size, count = 1 << 20, 32
	for _, text := range []bool{false, true} {
		t.Run(fmt.Sprintf("text=%v", text), func(t *testing.T) {
			var sent atomic.Int64
			wrote := make(chan bool, count)
			app := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/grpc")
				p := grpcMessage(make([]byte, size-5))
				for range count {
					if _, err := w.Write(p); err != nil {
						return
					}
					sent.Add(size)
					wrote <- true
				}
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			}))
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveProtocol(routing.GRPC, app)
			c := g.wire()
			c.SetReadBuffer(64 << 10)
			kind := ""
			if text {
				kind = "-text"
			}
			c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web%s\r\nContent-Length: 0\r\n\r\n", kind)
			for stuck := false; !stuck; {
				select {
				case <-wrote:
				case <-time.After(500 * time.Millisecond):
					stuck = true
				}
			}
			t.Logf("%d KiB were taken", sent.Load()>>10)
			if n := sent.Load(); n > count/2*size { // as above
				t.Errorf("the Backend could send %d MiB", n>>20)
			}
			if n := g.held(); n > gatewayBuffers {
				t.Errorf("the gateway holds %d KiB", n>>10)
			}
			c.SetDeadline(time.Now().Add(servertest.Timeout))
			resp, err := http.ReadResponse(c.R, nil)
			if err != nil {
				t.Fatal(err)
			}
			n, want := 0, count*size+5+len("grpc-status: 0\r\n")
			var decoder grpcweb.Decoder
			in, out := make([]byte, 64<<10), make([]byte, 64<<10)
			for err == nil {
				var k int
				k, err = resp.Body.Read(in)
				p := in[:k]
				if text {
					p, _ = decoder.Decode(out[:0], p)
				}
				n += len(p)
			}
			if n != want || err != io.EOF || !decoder.Complete() {
				t.Errorf("%d bytes came, %v, want %d", n, err, want)
			}
		})
	}
}
