package h2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// keeper keeps the last head whole.
type keeper struct {
	recorder
	req   message.Request
	head  []byte
	count int
}

func (k *keeper) Request(s *Stream, q *message.Request, head []byte, end bool) {
	k.req = *q
	k.req.Fields = slices.Clone(q.Fields)
	k.head = slices.Clone(head)
	k.count++
	k.c.Release(s)
}

// TestRequestLayout: a head is laid out as HTTP/1 would bring it, and h1 indexes it to the same.
func TestRequestLayout(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"plain", get, "GET / HTTP/1.1|host: a|"},
		{"query", []string{":method=GET", ":scheme=https", ":path=/a/b?c=d?e", ":authority=test.com:8443"}, "GET /a/b?c=d?e HTTP/1.1|host: test.com:8443|"},
		{"pseudo-fields in any order", []string{":authority=a", ":path=/", ":scheme=http", ":method=PUT"}, "PUT / HTTP/1.1|host: a|"},
		{"fields keep their order", with(get, "x-b=1", "accept=*/*", "x-b=2"), "GET / HTTP/1.1|host: a|x-b: 1|accept: */*|x-b: 2|"},
		{"an empty value", with(get, "x-b="), "GET / HTTP/1.1|host: a|x-b: |"},
		{"an agreeing host is dropped", with(get, "host=A:80", "x=1"), "GET / HTTP/1.1|host: a|x: 1|"},
		{"host alone", []string{":method=GET", ":scheme=http", ":path=/", "x=1", "host=b:1"}, "GET / HTTP/1.1|x: 1|host: b:1|"},
		{"cookies are joined", with(get, "cookie=a=1", "x=1", "cookie=b=2", "cookie=c"), "GET / HTTP/1.1|host: a|x: 1|cookie: a=1; b=2; c|"},
		{"te", with(get, "te=trailers"), "GET / HTTP/1.1|host: a|te: trailers|"},
		{"expect", with(post, "expect=100-continue"), "GET / HTTP/1.1|host: a|expect: 100-continue|"},
		{"unknown method", []string{":method=BREW", ":scheme=http", ":path=/", ":authority=a"}, "BREW / HTTP/1.1|host: a|"},
		{"asterisk", []string{":method=OPTIONS", ":scheme=http", ":path=*", ":authority=a"}, "OPTIONS * HTTP/1.1|host: a|"},
		{"CONNECT", []string{":method=CONNECT", ":authority=a:443"}, "CONNECT a:443 HTTP/1.1|host: a:443|"},
		{"content-length 0", with(get, "content-length=0"), "GET / HTTP/1.1|host: a|content-length: 0|"},
		{"bytes beyond ASCII", []string{":method=GET", ":scheme=http", ":path=/\xc3\xa4", ":authority=a", "x=\xff\t\xfe"}, "GET /\xc3\xa4 HTTP/1.1|host: a|x: \xff\t\xfe|"},
		{"extended CONNECT", []string{":method=CONNECT", ":protocol=websocket", ":scheme=http", ":path=/chat", ":authority=a", "sec-websocket-version=13"},
			"GET /chat HTTP/1.1|host: a|connection: upgrade|upgrade: websocket|sec-websocket-version: 13|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &keeper{}
			p := newPeer(t, Config{ExtendedConnect: true}, true)
			p.c.server, p.c.h, k.c = k, k, p.c
			p.headers(1, true, c.fields...)
			p.flush()
			if k.count != 1 {
				t.Fatalf("not delivered: %v, %v", k.log, p.frames())
			}
			want := strings.ReplaceAll(c.want, "|", "\r\n") + "\r\n"
			if c.name == "expect" {
				want = "POST" + want[3:]
			}
			if string(k.head) != want {
				t.Errorf("head\n got %q\nwant %q", k.head, want)
			}
			sameAsH1(t, &k.req, k.head)
		})
	}
}

// sameAsH1 compares an index with the one that h1 makes of the same bytes.
func sameAsH1(t testing.TB, q *message.Request, head []byte) {
	t.Helper()
	var r h1.Request
	if st := h1.ParseRequest(&r, head, h1.Limits{}); st != h1.Done {
		t.Fatalf("h1 refuses %q: %v", head, st)
	}
	want := r.Request
	// Values that HTTP/1 expresses otherwise.
	want.TLSScheme, want.Extended, want.Chunked, want.HasBody, want.Seen = q.TLSScheme, q.Extended, q.Chunked, q.HasBody, q.Seen
	for i := range q.Fields {
		q.Fields[i].Sensitive = false
	}
	if !slices.Equal(q.Fields, want.Fields) {
		t.Errorf("%q: fields\n got %v\nwant %v", head, q.Fields, want.Fields)
	}
	got := *q
	got.Fields, want.Fields = nil, nil
	if requestString(&got) != requestString(&want) {
		t.Errorf("%q:\n got %s\nwant %s", head, requestString(&got), requestString(&want))
	}
}

func TestResponses(t *testing.T) {
	open := func(p *peer) *Stream {
		s, ok := openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
		if !ok {
			t.Fatal("not opened")
		}
		p.frames()
		return s
	}
	runExchanges(t, false, Config{}, []exchange{
		{"final", func(p *peer) { open(p); p.headers(1, true, ":status=200", "x=1") }, "1 response 200 x=1 end", ""},
		{"interim", func(p *peer) {
			open(p)
			p.headers(1, false, ":status=103", "link=a")
			p.headers(1, false, ":status=100")
			p.headers(1, false, ":status=200", "content-length=2")
			p.f.WriteData(1, true, []byte("ok"))
		}, "1 response 103 link=a; 1 response 100; 1 response 200 content-length=2; 1 data 2 end", ""},
		{"trailers", func(p *peer) {
			open(p)
			p.headers(1, false, ":status=200")
			p.f.WriteData(1, false, []byte("ok"))
			p.headers(1, true, "grpc-status=0", "content-type=x")
		}, "1 response 200; 1 data 2; 1 trailers grpc-status=0 content-type=x(hop)", ""},
		{"not modified has no body whatever its length", func(p *peer) { open(p); p.headers(1, true, ":status=304", "content-length=9") }, "1 response 304 content-length=9 end", ""},
		{"8.1.1: more than content-length", func(p *peer) {
			open(p)
			p.headers(1, false, ":status=200", "content-length=1")
			p.f.WriteData(1, false, []byte("ok"))
		}, "1 response 200 content-length=1; 1 fault body differs from content-length", "1 RST PROTOCOL_ERROR"},
		{"8.1.1: less than content-length", func(p *peer) {
			open(p)
			p.headers(1, false, ":status=200", "content-length=3")
			p.f.WriteData(1, true, []byte("ok"))
		}, "1 response 200 content-length=3; 1 fault body differs from content-length", "1 RST PROTOCOL_ERROR"},
		{"8.1.1: less than content-length, with trailers", func(p *peer) {
			open(p)
			p.headers(1, false, ":status=200", "content-length=3")
			p.headers(1, true, "x=1")
		}, "1 response 200 content-length=3; 1 fault body differs from content-length", "1 RST PROTOCOL_ERROR"},
		{"8.1.1: no body at all", func(p *peer) { open(p); p.headers(1, true, ":status=200", "content-length=3") }, "1 fault body differs from content-length", "1 RST PROTOCOL_ERROR"},
		{"8.1: DATA first", func(p *peer) { open(p); p.f.WriteData(1, true, []byte("ok")) }, "1 fault body without a head", "1 RST PROTOCOL_ERROR"},
		{"8.1: interim that ends", func(p *peer) { open(p); p.headers(1, true, ":status=100") }, "1 fault interim response ends the stream", "1 RST PROTOCOL_ERROR"},
		{"8.6: 101", func(p *peer) { open(p); p.headers(1, false, ":status=101") }, "1 fault malformed status code", "1 RST PROTOCOL_ERROR"},
		{"8.3.2: no :status", func(p *peer) { open(p); p.headers(1, true, "x=1") }, "1 fault pseudo-field missing", "1 RST PROTOCOL_ERROR"},
		{"8.3.2: :status is no number", func(p *peer) { open(p); p.headers(1, true, ":status=2x0") }, "1 fault malformed status code", "1 RST PROTOCOL_ERROR"},
		{"8.3: of a request", func(p *peer) { open(p); p.headers(1, true, ":status=200", ":path=/") }, "1 fault unknown pseudo-field", "1 RST PROTOCOL_ERROR"},
		{"8.2.2: connection", func(p *peer) { open(p); p.headers(1, true, ":status=200", "connection=close") }, "1 fault connection-specific field", "1 RST PROTOCOL_ERROR"},
		{"idle stream", func(p *peer) { p.headers(1, true, ":status=200") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"the answer to what was cancelled", func(p *peer) {
			p.c.Release(open(p))
			p.headers(1, false, ":status=200", "x-new=1")
			p.f.WriteData(1, true, []byte("ok"))
			open(p)
			p.headers(3, true, ":status=200", "x-new=1")
		}, "3 response 200 x-new=1 end", ""},
		{"6.6: PUSH_PROMISE", func(p *peer) { open(p); p.raw(framePushPromise, 4, 1, "\x00\x00\x00\x02") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.5.2: a server enables push", func(p *peer) { p.raw(frameSettings, 0, 0, "\x00\x02\x00\x00\x00\x01") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.8: GOAWAY gives back what was not acted on", func(p *peer) {
			open(p)
			open(p)
			p.f.WriteGoAway(1, 0, nil)
			p.headers(1, true, ":status=200")
			p.f.WriteGoAway(0, 0, nil)
		}, "3 reset REFUSED_STREAM; goaway 1 NO_ERROR; 1 response 200 end; goaway 0 NO_ERROR", ""},
	})
}

// TestSensitive: what a client forbids to index is not indexed on its way upstream: RFC 7541 section 7.1.3.
func TestSensitive(t *testing.T) {
	k := &keeper{}
	p := newPeer(t, Config{}, true)
	p.c.server, p.c.h, k.c = k, k, p.c
	p.hb.Reset()
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/"}, {Name: ":authority", Value: "a"},
		{Name: "x-secret", Value: "1", Sensitive: true}, {Name: "x-plain", Value: "1"}, {Name: "cookie", Value: "a=1", Sensitive: true}, {Name: "cookie", Value: "b=1"}} {
		p.enc.WriteField(f)
	}
	p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.hb.Bytes(), EndStream: true, EndHeaders: true})
	p.flush()
	up := newPeer(t, Config{}, false)
	if _, ok := up.c.OpenRequest(&k.req, Outgoing{Head: &k.req.Head, Bytes: k.head}, true); !ok {
		t.Fatal("not opened")
	}
	var got []string
	up.dec.SetEmitFunc(func(f hpack.HeaderField) {
		if f.Sensitive {
			got = append(got, f.Name)
		}
	})
	up.dec.Write(up.c.Output()[frameHeaderLen:])
	if strings.Join(got, " ") != "x-secret cookie" {
		t.Errorf("never indexed: %q", got)
	}
}

func requestString(q *message.Request) string {
	return fmt.Sprintf("%+v", *q)
}

func TestTrailers(t *testing.T) { // section 8.1
	runExchanges(t, true, Config{}, []exchange{
		{"a request's", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteData(1, false, []byte("ok"))
			p.headers(1, true, "x-sum=1", "authorization=x")
		}, postEvent + "; 1 data 2; 1 trailers x-sum=1 authorization=x(hop)", ""},
		{"that do not end the stream", func(p *peer) { p.headers(1, false, post...); p.headers(1, false, "x=1") }, postEvent + "; 1 fault malformed trailers", "1 RST PROTOCOL_ERROR"},
		{"with a pseudo-field", func(p *peer) { p.headers(1, false, post...); p.headers(1, true, ":path=/") }, postEvent + "; 1 fault malformed trailers", "1 RST PROTOCOL_ERROR"},
		{"with a connection-specific field", func(p *peer) { p.headers(1, false, post...); p.headers(1, true, "upgrade=x") }, postEvent + "; 1 fault connection-specific field", "1 RST PROTOCOL_ERROR"},
		{"with a bad name", func(p *peer) { p.headers(1, false, post...); p.headers(1, true, "X=x") }, postEvent + "; 1 fault malformed field name", "1 RST PROTOCOL_ERROR"},
		{"content-length and DATA agree", func(p *peer) {
			p.headers(1, false, with(post, "content-length=2")...)
			p.f.WriteData(1, false, []byte("ok"))
			p.headers(1, true, "x=1")
		}, postEvent + " content-length=2; 1 data 2; 1 trailers x=1", ""},
		{"content-length and DATA differ", func(p *peer) {
			p.headers(1, false, with(post, "content-length=3")...)
			p.f.WriteData(1, true, []byte("ok"))
		}, postEvent + " content-length=3; 1 fault body differs from content-length", "1 RST PROTOCOL_ERROR"},
		{"content-length 0 and DATA", func(p *peer) {
			p.headers(1, false, with(post, "content-length=0")...)
			p.f.WriteData(1, true, []byte("ok"))
		}, postEvent + " content-length=0; 1 fault body differs from content-length", "1 RST PROTOCOL_ERROR"},
	})
}
