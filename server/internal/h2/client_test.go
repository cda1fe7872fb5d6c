package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// TestOpenRequest: what a request of HTTP/1 becomes.
func TestOpenRequest(t *testing.T) {
	for _, c := range []struct{ name, head, want string }{
		{"plain", "GET /a?b HTTP/1.1|Host: test.com|", ":method=GET :scheme=http :path=/a?b :authority=test.com end"},
		{"names in lower case, values as they are", "GET / HTTP/1.1|Host: A|X-Some: Thing|", ":method=GET :scheme=http :path=/ :authority=A x-some=Thing end"},
		{"hop-by-hop fields stay", "GET / HTTP/1.1|Host: a|Connection: x-mine, keep-alive|X-Mine: 1|Keep-Alive: 3|X: 2|", ":method=GET :scheme=http :path=/ :authority=a x=2 end"},
		{"te", "GET / HTTP/1.1|Host: a|TE: gzip, trailers|", ":method=GET :scheme=http :path=/ :authority=a te=trailers end"},
		{"a body of unknown length", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|", ":method=POST :scheme=http :path=/ :authority=a"},
		{"a body, whose length is the caller's to say", "POST / HTTP/1.1|Host: a|Content-Length: 5|", ":method=POST :scheme=http :path=/ :authority=a"},
		{"absolute-form", "GET http://b:81/x?y HTTP/1.1|Host: b:81|", ":method=GET :scheme=http :path=/x?y :authority=b:81 end"},
		{"absolute-form without a path", "GET http://b HTTP/1.1|Host: b|", ":method=GET :scheme=http :path=/ :authority=b end"},
		{"absolute-form without a path, with a query", "GET http://b?q HTTP/1.1|Host: b|", ":method=GET :scheme=http :path=/?q :authority=b end"},
		{"OPTIONS of everything", "OPTIONS http://b HTTP/1.1|Host: b|", ":method=OPTIONS :scheme=http :path=* :authority=b end"},
		{"asterisk", "OPTIONS * HTTP/1.1|Host: b|", ":method=OPTIONS :scheme=http :path=* :authority=b end"},
		{"WebSocket", "GET /chat HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Key: abc|Sec-WebSocket-Version: 13|",
			":method=CONNECT :protocol=websocket :scheme=http :path=/chat :authority=b sec-websocket-version=13"},
		{"a list of protocols, with versions", "GET /chat HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: websocket/13, x|", ":method=CONNECT :protocol=websocket :scheme=http :path=/chat :authority=b"},
		{"POST with Upgrade", "POST / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: websocket|", ":method=POST :scheme=http :path=/ :authority=b end"},
		{"h2c", "GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: h2c|", ":method=GET :scheme=http :path=/ :authority=b end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Config{}, false)
			p.f.WriteSettings(http2.Setting{ID: 8, Val: 1})
			p.flush()
			p.frames()
			s, ok := openGet(p.c, strings.ReplaceAll(c.head, "|", "\r\n")+"\r\n")
			if !ok {
				t.Fatal("not opened")
			}
			if s.extended {
				c.want += " end" // openGet ends what has no body
			}
			if got := strings.Join(p.frames(), "; "); got != "1 HEADERS "+c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestWebSocket: an extended CONNECT is a GET with Upgrade at both ends, and 101 its answer: RFC 8441.
func TestWebSocket(t *testing.T) {
	p := newPeer(t, Config{ExtendedConnect: true}, true)
	p.headers(1, false, ":method=CONNECT", ":protocol=websocket", ":scheme=http", ":path=/chat", ":authority=a", "sec-websocket-version=13", "content-length=0")
	p.flush()
	s := p.r.streams[1]
	p.c.WriteHead(s, 101, Outgoing{Lines: []byte("Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: y\r\nConnection: upgrade\r\nUpgrade: websocket\r\n")}, false)
	p.c.WriteData(s, []byte("hello"), false)
	p.f.WriteData(1, false, []byte("hi"))
	p.flush()
	if got := strings.Join(p.r.log, "; "); got != "1 request GET /chat host=a connection=upgrade(hop) upgrade=websocket(hop) sec-websocket-version=13 content-length=0; 1 data 2" {
		t.Errorf("events %s", got)
	}
	if got := strings.Join(p.frames(), "; "); got != "1 HEADERS :status=200 sec-websocket-protocol=y; 1 DATA 5" {
		t.Errorf("output %s", got)
	}

	p = newPeer(t, Config{}, false)
	const upgrade = "GET /chat HTTP/1.1\r\nHost: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
	if _, ok := openGet(p.c, upgrade); ok {
		t.Error("opened although it is not offered")
	}
	p.f.WriteSettings(http2.Setting{ID: 8, Val: 1})
	p.flush()
	if _, ok := openGet(p.c, upgrade); !ok {
		t.Fatal("not opened")
	}
	p.headers(1, false, ":status=200", "sec-websocket-protocol=y")
	p.f.WriteData(1, false, []byte("hi"))
	p.flush()
	if got := strings.Join(p.r.log, "; "); got != "settings; 1 response 101 connection=upgrade(hop) upgrade=websocket(hop) sec-websocket-protocol=y; 1 data 2" {
		t.Errorf("events %s", got)
	}
}

// TestMaxStreams: a client keeps to what the server allows.
func TestMaxStreams(t *testing.T) {
	p := newPeer(t, Config{}, false)
	p.f.WriteSettings(http2.Setting{ID: 3, Val: 2})
	p.flush()
	const head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
	s, _ := openGet(p.c, head)
	openGet(p.c, head)
	if _, ok := openGet(p.c, head); ok {
		t.Error("a third stream was opened")
	}
	p.headers(1, true, ":status=200")
	p.flush()
	p.c.Release(s)
	if _, ok := openGet(p.c, head); !ok {
		t.Error("no stream was opened after one has ended")
	}
	p.f.WriteGoAway(0, 0, nil)
	p.flush()
	if p.c.Open() != 0 {
		t.Errorf("%d open", p.c.Open())
	}
	if _, ok := openGet(p.c, head); ok || !p.c.Gone() {
		t.Error("a stream was opened after GOAWAY")
	}
}

// TestResponseHead: what the head of a response becomes, in one frame and in several.
func TestResponseHead(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.headers(1, false, post...)
	p.headers(3, true, get...)
	p.flush()
	s := p.r.streams[1]
	p.c.WriteInterim(s, 103, Outgoing{Lines: []byte("Link: x\r\n")})
	p.c.WriteHead(s, 200, Outgoing{Lines: []byte("Content-Type: a\r\nKeep-Alive: x\r\nX-Empty:\r\n")}, false)
	p.c.WriteHead(s, 200, Outgoing{}, false) // once only
	p.c.WriteData(s, []byte("abc"), false)
	p.c.WriteTrailers(s, Outgoing{Lines: []byte("Grpc-Status: 0\r\n")})
	p.c.WriteData(s, []byte("late"), true)
	p.c.Release(s)
	if got := strings.Join(p.frames(), "; "); got != "1 HEADERS :status=103 link=x; 1 HEADERS :status=200 content-type=a x-empty=; 1 DATA 3; 1 HEADERS grpc-status=0 end; 1 RST NO_ERROR" {
		t.Errorf("output %s", got)
	}
	p.headers(5, true, get...)
	p.flush()
	p.c.WriteHead(p.r.streams[5], 200, Outgoing{}, false)
	p.c.WriteTrailers(p.r.streams[5], Outgoing{Lines: []byte("Connection: x\r\n")}) // nothing is left of it
	p.c.Release(p.r.streams[5])
	if got := strings.Join(p.frames(), "; "); got != "5 HEADERS :status=200; 5 DATA 0 end" {
		t.Errorf("output %s", got)
	}
	long := strings.Repeat("~", 20000)
	p.c.WriteHead(p.r.streams[3], 200, Outgoing{Lines: []byte("X-A: " + long + "\r\nX-B: " + long + "\r\n")}, true)
	if got := strings.Join(p.frames(), "; "); got != "3 HEADERS :status=200 x-a="+long+" x-b="+long+" end" {
		t.Errorf("output of %d bytes", len(got))
	}
	p.c.Release(p.r.streams[3])
	if p.c.live != 0 || p.c.streams.n != 0 {
		t.Errorf("%d streams left", p.c.live)
	}
}
