package server

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestReuse: which answers leave a connection that the next request may have. A server that announces a body where there
// must be none may send it too, later than the gateway can wait for it.
func TestReuse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, method, answer string
		reused               bool
	}{
		{"length", "GET", servertest.OKResponse("ok"), true},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
		{"chunks with trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSum: 1\r\n\r\n", true},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", true},
		{"204 with length 0", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true},
		{"204 with length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", false},
		{"204 with chunks", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"205 with chunks", "GET", "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true}, // RFC 9112 section 6.3 makes no exception of it
		{"205 with length 0", "GET", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", true},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n", true},
		{"304 with length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", true}, // RFC 9110 section 8.6: of what a 200 would have
		{"304 with chunks", "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"HEAD with length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true},
		{"HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"HEAD without framing", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", true},
		{"interim", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + servertest.OKResponse("ok"), true},
		{"interim with length", "GET", "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n" + servertest.OKResponse("ok"), false},
		{"interim with chunks", "GET", "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + servertest.OKResponse("ok"), false},
		{"interim that closes", "GET", "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + servertest.OKResponse("ok"), false},
		{"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		{"more than its length", "GET", servertest.OKResponse("ok") + "more", false},
		{"more than its chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore", false},
		{"more than none", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			conns := make(chan int, 4)
			g := newGateway(t, oneLoop, Options{})
			g.serve(nil, servertest.RawBackend(t, func(n int, c *servertest.Wire) {
				for {
					head := c.Head()
					if head == "" {
						return
					}
					conns <- n
					if servertest.Target(head) == "/first" {
						c.Send(strings.ReplaceAll(row.answer, "%", "%%"))
					} else {
						c.Send(servertest.OKResponse(servertest.Target(head)))
					}
				}
			}))
			c := g.wire()
			c.Send("%s /first HTTP/1.1\r\nHost: a\r\n\r\n", row.method)
			if got := c.ReadAnswer(row.method); got.StatusCode == 502 {
				t.Errorf("answered with %d", got.StatusCode)
			}
			if got := c.Get("/second"); got.Text != "/second" {
				t.Errorf("the second answer is %d %q", got.StatusCode, got.Text)
			}
			if a, b := <-conns, <-conns; (a == b) != row.reused {
				t.Errorf("requests went over connections %d and %d, want the same: %v", a, b, row.reused)
			}
		})
	}
}

// TestLateLastChunk: the last chunk of a body that a 304 does not have, sent late, spoils no other request.
func TestLateLastChunk(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD"} {
		g := newGateway(t, oneLoop, Options{})
		release := make(chan struct{})
		g.serve(nil, servertest.RawBackend(t, func(n int, c *servertest.Wire) {
			for {
				head := c.Head()
				switch {
				case head == "":
					return
				case servertest.Target(head) == "/first":
					c.Send("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")
				default:
					c.Send("0\r\n\r\n")
					c.Send(servertest.OKResponse(servertest.Target(head)))
				}
				<-release
			}
		}))
		close(release)
		c := g.wire()
		c.Send("%s /first HTTP/1.1\r\nHost: a\r\n\r\n", method)
		if got := c.ReadAnswer(method); got.StatusCode != 304 {
			t.Errorf("%s: %d", method, got.StatusCode)
		}
		if n := g.upstreamConns(); n != 0 {
			t.Errorf("%s: %d connections are kept", method, n)
		}
	}
}

// TestUpgradeThatStreamsCannotCarry: an Upgrade that HTTP/2 has no form for is left out, and the request ends with its head.
func TestUpgradeThatStreamsCannotCarry(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, request string
		carried       bool
	}{
		{"WebSocket", servertest.UpgradeRequest, true},
		{"POST", "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false},
		{"POST with length 0", "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", false},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false},
		{"no token", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a b\r\n\r\n", false},
		{"nothing", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade:\r\n\r\n", false},
		{"a version alone", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: /13\r\n\r\n", false},
		{"commas", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: , ,\r\n\r\n", false},
		{"h2c", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", false},
		{"with a body", "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok", false},
	} {
		for _, offered := range []uint32{0, 1} {
			t.Run(row.name, func(t *testing.T) {
				g := newGateway(t, oneLoop, Options{})
				g.serveProtocol(routing.H2C, servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
					c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
					for {
						f, err := c.ReadFrame()
						if err != nil {
							return
						}
						ended := false
						switch f := f.(type) {
						case *http2.MetaHeadersFrame:
							ended = f.StreamEnded()
							if protocol := f.PseudoValue("protocol"); (protocol != "") != row.carried {
								t.Errorf("asked for the protocol %q", protocol)
							}
							if row.carried {
								c.Fields(f.StreamID, true, ":status", "403")
							}
						case *http2.DataFrame:
							ended = f.StreamEnded()
						}
						if ended {
							c.Fields(f.Header().StreamID, true, ":status", "200", "content-length", "0")
						}
					}
				}, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: offered}))
				c := g.wire()
				c.Send("%s", row.request)
				want := 200
				if row.carried {
					want = 502 - int(offered)*(502-403)
				}
				method, _, _ := strings.Cut(row.request, " ")
				if got := c.ReadAnswer(method); got.StatusCode != want {
					t.Errorf("answered with %d, want %d", got.StatusCode, want)
				}
			})
		}
	}
}

// TestExtendedConnectForH2C: a client of HTTP/2 is told that a protocol is not tunnelled. As a plain GET its request would
// be another than it made.
func TestExtendedConnectForH2C(t *testing.T) {
	t.Parallel()
	g := newGateway(t, oneLoop, Options{})
	addr, heads := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	c := servertest.DialHTTP2(t, g.addr)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.Fields(1, false, ":method", "CONNECT", ":protocol", "h2c", ":scheme", "http", ":authority", "a", ":path", "/")
	if status, reset := c.AwaitEnd(t, 1); status != "501" {
		t.Errorf("status %q, %v", status, reset)
	}
	if len(heads) > 0 {
		t.Errorf("the Backend saw %q", <-heads)
	}
}
