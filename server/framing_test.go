package server

import (
	"fmt"
	"strings"
	"testing"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestResponseFraming lists the bytes that a client gets for the bytes that a Backend sends.
func TestResponseFraming(t *testing.T) {
	t.Parallel()
	const date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
	const okHead = "HTTP/1.1 200 OK\r\n" + date
	for _, tt := range []struct {
		name, request, answer string
		backendCloses         bool
		want                  string
		closes                bool
	}{
		{"length", "GET / HTTP/1.1", okHead + "Content-Length: 2\r\n\r\nok", false,
			okHead + "Content-Length: 2\r\n\r\nok", false},
		{"empty", "GET / HTTP/1.1", okHead + "Content-Length: 0\r\n\r\n", false,
			okHead + "Content-Length: 0\r\n\r\n", false},
		{"chunked with extensions and trailers", "GET / HTTP/1.1", okHead + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2;a=b\r\nok\r\n0\r\nX-T: t\r\n\r\n", false,
			okHead + "Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-T: t\r\n\r\n", false},
		{"until close", "GET / HTTP/1.1", okHead + "\r\nok", true,
			okHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
		{"until close, empty", "GET / HTTP/1.1", okHead + "\r\n", true,
			okHead + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"HTTP/1.0 Backend", "GET / HTTP/1.1", "HTTP/1.0 200 Fine\r\n" + date + "\r\nok", true,
			okHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
		{"HTTP/1.0 Backend with length", "GET / HTTP/1.1", "HTTP/1.0 200 OK\r\n" + date + "Content-Length: 2\r\n\r\nok", true,
			okHead + "Content-Length: 2\r\n\r\nok", false},
		{"Backend that closes", "GET / HTTP/1.1", okHead + "Content-Length: 2\r\nConnection: close\r\n\r\nok", true,
			okHead + "Content-Length: 2\r\n\r\nok", false},
		{"HEAD", "HEAD / HTTP/1.1", okHead + "Content-Length: 42\r\n\r\n", false,
			okHead + "Content-Length: 42\r\n\r\n", false},
		{"HEAD of a chunked resource", "HEAD / HTTP/1.1", okHead + "Transfer-Encoding: chunked\r\n\r\n", false,
			okHead + "\r\n", false},
		{"HEAD without length", "HEAD / HTTP/1.1", okHead + "\r\n", false,
			okHead + "\r\n", false},
		{"204", "GET / HTTP/1.1", "HTTP/1.1 204 No Content\r\n" + date + "\r\n", false,
			"HTTP/1.1 204 No Content\r\n" + date + "\r\n", false},
		{"304 with length", "GET / HTTP/1.1", "HTTP/1.1 304 Not Modified\r\n" + date + "Content-Length: 42\r\n\r\n", false,
			"HTTP/1.1 304 Not Modified\r\n" + date + "Content-Length: 42\r\n\r\n", false},
		{"reason phrase is kept", "GET / HTTP/1.1", "HTTP/1.1 299 Sehr sch\xf6n\r\n" + date + "Content-Length: 0\r\n\r\n", false,
			"HTTP/1.1 299 Sehr sch\xf6n\r\n" + date + "Content-Length: 0\r\n\r\n", false},
		{"client closes", "GET / HTTP/1.1\r\nConnection: close", okHead + "Content-Length: 2\r\n\r\nok", false,
			okHead + "Content-Length: 2\r\nConnection: close\r\n\r\nok", true},
		{"client closes, any case", "GET / HTTP/1.1\r\nConnection: x, CLOSE", okHead + "Content-Length: 2\r\n\r\nok", false,
			okHead + "Content-Length: 2\r\nConnection: close\r\n\r\nok", true},
		{"HTTP/1.0", "GET / HTTP/1.0", okHead + "Content-Length: 2\r\n\r\nok", false,
			okHead + "Content-Length: 2\r\nConnection: close\r\n\r\nok", true},
		{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive", okHead + "Content-Length: 2\r\n\r\nok", false,
			okHead + "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok", false},
		{"HTTP/1.0 keep-alive, chunked", "GET / HTTP/1.0\r\nConnection: keep-alive", okHead + "Transfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n1\r\n!\r\n0\r\nT: t\r\n\r\n", false,
			okHead + "Connection: close\r\n\r\nok!", true},
		{"HTTP/1.0 keep-alive, until close", "GET / HTTP/1.0\r\nConnection: keep-alive", okHead + "\r\nok", true,
			okHead + "Connection: close\r\n\r\nok", true},
		{"hop-by-hop fields", "GET / HTTP/1.1", okHead + "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n", false,
			okHead + "X-End: 2\r\nContent-Length: 0\r\n\r\n", false},
		{"order, case and duplicates", "GET / HTTP/1.1", okHead + "set-cookie: a=1\r\nX-b: 2\r\nSET-COOKIE:  c=3 \r\ncontent-length: 0\r\nx-B:\r\n\r\n", false,
			okHead + "set-cookie: a=1\r\nX-b: 2\r\nSET-COOKIE:  c=3 \r\nx-B:\r\nContent-Length: 0\r\n\r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) { c.HTTP.ServerHeader = "" }, Options{})
			addr, _ := servertest.ScriptedBackend(t, tt.answer, tt.backendCloses)
			g.serve(nil, addr)
			c := g.wire()
			// Twice, because a connection that is not usable after the first shows with the second.
			for range 2 {
				c.Send(tt.request + "\r\nHost: a\r\n\r\n")
				c.Exactly(strings.Replace(tt.want, "HTTP/1.1 200 Fine", "HTTP/1.1 200 OK", 1))
				if tt.closes {
					c.WantClosed()
					return
				}
			}
		})
	}
}

// TestDate: a response without Date gets one (RFC 9110, 6.6.1).
func TestDate(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	addr, _ := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	if got := g.wire().Get("/"); got.Header.Get("Date") == "" {
		t.Errorf("no Date: %v", got.Header)
	}
}

// TestRequestHead lists what a Backend sees of a request: order, case and duplicates of what is end-to-end, nothing of what
// is hop-by-hop, and the gateway's own fields behind.
func TestRequestHead(t *testing.T) {
	t.Parallel()
	const own = "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: HOST\r\nX-Forwarded-Port: PORT\r\nX-Request-ID: ID\r\n"
	for _, tt := range []struct {
		name, request, want string
		host                string // X-Forwarded-Host where it is not "a"; "-" for none
		policy              *asked.Policy
		trusted             string
	}{
		{name: "as it is", request: "GET /a%2Fb/../c?d=%20&e HTTP/1.1\r\nHost: a\r\nx-B: 1\r\nAccept:  q \r\nX-b: 2\r\n\r\n",
			want: "GET /a%2Fb/../c?d=%20&e HTTP/1.1\r\nHost: a\r\nx-B: 1\r\nAccept:  q \r\nX-b: 2\r\n" + own},
		{name: "unknown method", request: "brew /pot HTTP/1.1\r\nhost: A:80\r\n\r\n", host: "A:80",
			want: "brew /pot HTTP/1.1\r\nhost: A:80\r\n" + own},
		{name: "hop-by-hop", request: "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, close , x-HOP2\r\nX-Hop: 1\r\nX-Hop2: 2\r\nx-hop: 3\r\n" +
			"Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nX-End: 4\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\nX-End: 4\r\n" + own},
		{name: "nominated framing and Host stay", request: "POST / HTTP/1.1\r\nHost: a\r\nConnection: Host, Content-Length, X-Forwarded-For, X-Real-IP\r\nContent-Length: 0\r\n\r\n",
			want: "POST / HTTP/1.1\r\nHost: a\r\n" + own + "Content-Length: 0\r\n"},
		{name: "TE trailers", request: "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: gzip, trailers\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nTE: trailers\r\n" + own},
		{name: "absolute-form", request: "GET http://a:80/b?c HTTP/1.1\r\nX: y\r\nHost: A\r\n\r\n", host: "a:80",
			want: "GET /b?c HTTP/1.1\r\nHost: a:80\r\nX: y\r\n" + own},
		{name: "absolute-form without path", request: "GET http://a?c HTTP/1.1\r\nHost: a\r\n\r\n",
			want: "GET /?c HTTP/1.1\r\nHost: a\r\n" + own},
		{name: "HTTP/1.0 without Host", request: "GET / HTTP/1.0\r\n\r\n", host: "-",
			want: "GET / HTTP/1.1\r\nHost: \r\n" + strings.Replace(own, "X-Forwarded-Host: HOST\r\n", "", 1)},
		{name: "upstream-vhost", request: "GET / HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n", policy: &asked.Policy{UpstreamHost: "inner:8080"},
			want: "GET / HTTP/1.1\r\nHost: inner:8080\r\nX: y\r\n" + own},
		{name: "upgrade to h2c", request: "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\n" + own},
		{name: "Upgrade that Connection does not list", request: "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\n" + own},
		{name: "forwarded fields of a stranger", request: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\n" +
			"X-Forwarded-Port: 1\r\nX-Real-IP: 1.1.1.1\r\nX-Request-ID: 7\r\nForwarded: for=1.1.1.1\r\nX-Scheme: https\r\nX-Forwarded-Scheme: https\r\nX-Forwarded-Prefix: /x\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\n" + own},
		{name: "forwarded fields of a trusted peer", trusted: "127.0.0.0/8", request: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nx-forwarded-proto: https\r\n" +
			"X-Forwarded-For: 3.3.3.3\r\nX-Forwarded-Host: outer\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 1.1.1.1\r\nX-Request-ID: 7\r\nForwarded: for=1.1.1.1\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: outer\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 1.1.1.1\r\nX-Request-ID: 7\r\nForwarded: for=1.1.1.1\r\n" +
				"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1\r\n"},
		{name: "a trusted peer without any", trusted: "127.0.0.1/32", request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			want: "GET / HTTP/1.1\r\nHost: a\r\n" + own},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *config.Config) {
				if tt.trusted != "" {
					c.Forwarded.TrustedCIDRs = []string{tt.trusted}
				}
			}, Options{})
			addr, heads := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
			g.serve(tt.policy, addr)
			c := g.wire()
			c.Send(tt.request)
			if got := c.ReadAnswer("GET"); got.StatusCode != 200 {
				t.Fatalf("status %d %q", got.StatusCode, got.Text)
			}
			head := <-heads
			// The identifier is random.
			if i := strings.Index(head, "X-Request-ID: "); i >= 0 && !strings.Contains(tt.want, "X-Request-ID: 7") {
				id := head[i+14:]
				id = id[:strings.Index(id, "\r\n")]
				if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
					t.Errorf("X-Request-ID: %q", id)
				}
				head = strings.Replace(head, id, "ID", 1)
			}
			host := tt.host
			if host == "" {
				host = "a"
			}
			want := strings.NewReplacer("HOST", host, "PORT", fmt.Sprint(g.Ports()[0])).Replace(tt.want) + "\r\n"
			if head != want {
				t.Errorf("got\n%s\nwant\n%s", head, want)
			}
		})
	}
}

// TestRequestIDsDiffer: each request has one of its own.
func TestRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	addr, heads := servertest.ScriptedBackend(t, servertest.OKResponse("ok"), false)
	g.serve(nil, addr)
	c := g.wire()
	seen := map[string]bool{}
	for range 50 {
		c.Get("/")
		_, id, _ := strings.Cut(<-heads, "X-Request-ID: ")
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
}

// TestExpect passes 100-continue through, both with the interim response and without.
func TestExpect(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for {
			head := c.Head()
			switch {
			case head == "":
				return
			case !strings.Contains(head, "\r\nExpect: 100-continue\r\n"):
				c.Send(servertest.OKResponse("no Expect"))
			case servertest.Target(head) == "/refuse":
				c.Send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
			default:
				c.Send("HTTP/1.1 100 Continue\r\n\r\n")
				c.Send(servertest.OKResponse(c.Take(4)))
			}
		}
	}))
	const fields = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	c := g.wire()
	for range 3 {
		c.Send("POST /take HTTP/1.1\r\n" + fields)
		c.Exactly("HTTP/1.1 100 Continue\r\n\r\n")
		c.Send("body")
		if got := c.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != "body" {
			t.Fatalf("got %d %q", got.StatusCode, got.Text)
		}
	}
	c.Send("POST /refuse HTTP/1.1\r\n" + fields)
	got := c.ReadAnswer("POST")
	if got.StatusCode != 401 || got.Text != "no" || !got.Close {
		t.Errorf("got %d %q, close %v", got.StatusCode, got.Text, got.Close)
	}
	// The client may leave the body out now, or send it: the connection is of no more use.
	c.WantClosed()
}

// TestLargeBodies moves bodies that are copied and that are spliced, with either framing, both ways at once.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	for _, threshold := range []config.Size{0, 64 << 10} {
		g := newGateway(t, func(c *config.Config) {
			c.HTTP.SpliceThreshold = threshold
			c.Limits.BodyBytes = 0
		}, Options{})
		g.serve(nil, servertest.EchoBackend(t))
		for _, size := range []int{0, 1, 4095, 16 << 10, 16<<10 + 1, 64 << 10, 64<<10 + 1, 300_000, 3 << 20} {
			body := string(servertest.Pattern(size))
			for _, chunked := range []bool{false, true} {
				c := g.wire()
				for range 2 {
					go func() {
						if chunked {
							c.Send("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
							for rest := body; len(rest) > 0; {
								n := min(len(rest), 50_000)
								c.Send("%x\r\n%s\r\n", n, rest[:n])
								rest = rest[n:]
							}
							c.Send("0\r\n\r\n")
						} else {
							c.Send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
							c.Send(body)
						}
					}()
					if got := c.ReadAnswer("POST"); got.Text != body || got.Cut != nil {
						t.Errorf("%d bytes, chunked %v, splice from %d: got %d %d bytes, %v", size, chunked, threshold, got.StatusCode, len(got.Text), got.Cut)
					}
				}
				c.Close()
			}
		}
	}
}
