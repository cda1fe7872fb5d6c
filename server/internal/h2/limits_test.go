package h2

import (
	"strings"
	"testing"
)

// TestTooLarge: a response's head and trailers beyond the limits end the stream, not the connection.
func TestTooLarge(t *testing.T) {
	long := "x=" + strings.Repeat("x", 2000)
	runExchanges(t, false, Config{MaxHead: 1000, MaxFields: 3}, []exchange{
		{"head", func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			p.headers(1, true, ":status=200", long)
		}, "1 fault response header or trailers too large", "1 RST CANCEL"},
		{"fields", func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			p.headers(1, true, ":status=200", "a=1", "b=1", "c=1", "d=1")
		}, "1 fault response header or trailers too large", "1 RST CANCEL"},
		{"trailers", func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			p.headers(1, false, ":status=200")
			p.headers(1, true, long)
		}, "1 response 200; 1 fault response header or trailers too large", "1 RST CANCEL"},
		{"malformed block of a response", func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			p.raw(frameHeaders, 5, 1, "\x80")
		}, "", "GOAWAY 0 COMPRESSION_ERROR"},
		{"malformed block of trailers", func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			p.headers(1, false, ":status=200")
			p.raw(frameHeaders, 5, 1, "\x80")
		}, "1 response 200", "GOAWAY 0 COMPRESSION_ERROR"},
	})
}

// TestAnswerLater: the body of a request that was refused with an answer is dropped, without end.
func TestAnswerLater(t *testing.T) {
	p := newPeer(t, Config{MaxHead: 600, StreamWindow: 65535, ConnWindow: 65535}, true)
	p.r.do = func(e string, s *Stream) { p.r.know(s) }
	p.headers(1, false, with(post, "x="+strings.Repeat("x", 1000))...)
	for range 10 {
		p.f.WriteData(1, false, make([]byte, maxFrame))
	}
	p.f.WriteData(1, true, nil)
	p.flush()
	p.c.WriteHead(p.r.streams[1], 431, Outgoing{}, true)
	p.c.Release(p.r.streams[1])
	if got := strings.Join(p.r.log, "; "); got != "1 fault header too large" {
		t.Errorf("events %s", got)
	}
	if got := strings.Join(p.frames(), "; "); !strings.HasPrefix(got, "1 WINDOW +32768") && !strings.HasPrefix(got, "0 WINDOW +32768") ||
		!strings.HasSuffix(got, "1 HEADERS :status=431 end") {
		t.Errorf("output %s", got)
	}
}

// TestHeadLimits: a request that is too large can be answered, its body is dropped, and the table of HPACK
// stays in step.
func TestHeadLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields []string
		want   Fault
	}{
		{"head", with(get, "x-a=1", "x="+strings.Repeat("x", 1000)), FaultHeadTooLarge},
		{"fields", with(get, "a=1", "b=1", "c=1", "d=1"), FaultTooManyFields},
		{"target", []string{":method=GET", ":scheme=http", ":path=/" + strings.Repeat("x", 100), ":authority=a"}, FaultTargetTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Config{MaxHead: 600, MaxFields: 4, MaxTarget: 100}, true)
			p.headers(1, false, c.fields...)
			p.f.WriteData(1, false, []byte("body"))
			p.r.do = func(e string, s *Stream) {
				if strings.HasPrefix(e, "1 fault") {
					p.c.WriteHead(s, c.want.HTTPStatus(), Outgoing{Lines: []byte("Content-Length: 0\r\n")}, true)
					p.c.Release(s)
				}
			}
			p.headers(3, true, with(get, "x-new=1")...)
			p.headers(5, true, with(get, "x-new=1")...)
			p.flush()
			if got := strings.Join(p.r.log, "; "); got != "1 fault "+c.want.Reason()+"; 3 request GET / host=a x-new=1 end; 5 request GET / host=a x-new=1 end" {
				t.Errorf("events %s", got)
			}
			if got := strings.Join(p.frames(), "; "); !strings.HasPrefix(got, "1 HEADERS :status=4") || !strings.HasSuffix(got, "1 RST NO_ERROR") {
				t.Errorf("output %s", got)
			}
		})
	}
}
