package h2

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// responder answers every request with a head and 128 bytes.
type responder struct {
	recorder
	body []byte
}

var responseLines = []byte("Server: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 01:14:24 GMT\r\nContent-Type: application/json\r\nContent-Length: 128\r\n")

func (r *responder) Request(s *Stream, q *message.Request, head []byte, end bool) {
	r.c.WriteHead(s, 200, Outgoing{Lines: responseLines}, false)
	r.c.WriteData(s, r.body, true)
	r.c.Release(s)
}

func (r *responder) Settings() {}

// requests is 100 requests of a client as h2load sends them, for streams from first on.
func requests(p *peer, first uint32) []byte {
	for i := range uint32(100) {
		p.headers(first+2*i, true, ":method=GET", ":scheme=https", ":authority=test.example.com", ":path=/api/v1/greet/hello?content=world",
			"user-agent=h2load nghttp2/1.52.0", "accept=*/*")
	}
	b := append([]byte(nil), p.in.Bytes()...)
	p.in.Reset()
	return b
}

// renumber moves the streams of a batch on by n.
func renumber(b []byte, n uint32) {
	for len(b) > 0 {
		h := readFrameHeader(b)
		setFrameHeader(b, int(h.length), h.kind, h.flags, h.stream+n)
		b = b[frameHeaderLen+int(h.length):]
	}
}

func newResponder(t testing.TB) (*peer, []byte) {
	p := newPeer(t, Config{}, true)
	r := &responder{body: make([]byte, 128)}
	r.c = p.c
	p.c.server, p.c.h = r, r
	p.f.WriteWindowUpdate(0, 1<<30)
	p.flush()
	warm := requests(p, 1) // teaches the table; what follows is indexed
	p.c.Feed(p.now, warm)
	p.c.Wrote(len(p.c.Output()))
	return p, requests(p, 201)
}

// BenchmarkExchange is one request and its answer, the server's part of a small GET: 100 in a batch, and
// one by one.
func BenchmarkExchange(b *testing.B) {
	for _, size := range []int{100, 1} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			p, batch := newResponder(b)
			b.ReportAllocs()
			for i := 0; i < b.N; i += 100 {
				if p.c.lastPeer > 1<<30 {
					p.c.lastPeer = 1
					renumber(batch, 1<<31-(readFrameHeader(batch).stream-201))
				}
				p.c.sendOpen = 1 << 30
				for rest := batch; len(rest) > 0; {
					n := len(rest)
					if size == 1 {
						n = frameHeaderLen + int(readFrameHeader(rest).length)
					}
					if err := p.c.Feed(p.now, rest[:n]); err != nil {
						b.Fatal(err)
					}
					p.c.Wrote(len(p.c.Output()))
					rest = rest[n:]
				}
				renumber(batch, 200)
			}
		})
	}
}

// newRequester returns what opens 100 requests, and what answers them with a head and 128 bytes each.
func newRequester(t testing.TB) (open, respond func()) {
	p := newPeer(t, Config{}, false)
	r := &quiet{}
	r.c = p.c
	p.c.client, p.c.h = r, r
	const head = "GET /api/v1/greet/hello?content=world HTTP/1.1\r\nHost: test.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
	var q h1.Request
	h1.ParseRequest(&q, []byte(head), h1.Limits{})
	o := Outgoing{Head: &q.Head, Bytes: []byte(head), Lines: []byte("X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n")}
	batch := func(first uint32) []byte {
		for i := range uint32(100) {
			p.headers(first+2*i, false, ":status=200", "server=nginx/1.22.1", "date=Mon, 23 Nov 2026 01:14:24 GMT", "content-type=application/json", "content-length=128")
			p.f.WriteData(first+2*i, true, make([]byte, 128))
		}
		b := append([]byte(nil), p.in.Bytes()...)
		p.in.Reset()
		return b
	}
	open = func() {
		p.c.sendOpen = 1 << 30
		for range 100 {
			if _, ok := p.c.OpenRequest(&q.Request, o, true); !ok {
				t.Fatal("not opened")
			}
		}
		p.c.Wrote(len(p.c.Output()))
	}
	open()
	p.c.Feed(p.now, batch(1))
	b := batch(201)
	return open, func() {
		if err := p.c.Feed(p.now, b); err != nil {
			t.Fatal(err)
		}
		p.c.Wrote(len(p.c.Output()))
		renumber(b, 200)
	}
}

// BenchmarkUpstream is one request sent and its answer received, 100 in a batch: the client's part.
func BenchmarkUpstream(b *testing.B) {
	open, respond := newRequester(b)
	b.ReportAllocs()
	for i := 0; i < b.N; i += 100 {
		open()
		respond()
	}
}

// BenchmarkData is the receiving of a large body, in reads of 64 KiB.
func BenchmarkData(b *testing.B) {
	p := newPeer(b, Config{}, true)
	p.headers(1, false, post...)
	p.flush()
	r := &quiet{}
	r.c = p.c
	p.c.server, p.c.h = r, r
	for range 16 {
		p.f.WriteData(1, false, make([]byte, maxFrame))
	}
	in := append([]byte(nil), p.in.Bytes()...)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := in; len(rest) > 0; {
			n := min(len(rest), 64<<10)
			if err := p.c.Feed(p.now, rest[:n]); err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
			p.c.Wrote(len(p.c.Output()))
		}
	}
}

// quiet consumes and does nothing else.
type quiet struct{ recorder }

func (q *quiet) Data(s *Stream, p []byte, end bool) {
	q.c.Consumed(s, len(p))
	if end {
		q.c.Release(s)
	}
}

func (q *quiet) Response(*Stream, *message.Response, []byte, bool) {}

// BenchmarkWriteData is the sending of a large body.
func BenchmarkWriteData(b *testing.B) {
	p := newPeer(b, Config{}, true)
	p.f.WriteSettings(http2.Setting{ID: 4, Val: maxWindow})
	p.headers(1, true, get...)
	p.flush()
	p.frames()
	s := p.r.streams[1]
	body := make([]byte, 64<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p.c.sendOpen, s.sendOpen = 1<<30, 1<<30
		if n := p.c.WriteData(s, body, false); n != len(body) {
			b.Fatal(n)
		}
		p.c.Wrote(len(p.c.Output()))
	}
}

// BenchmarkStreamTable has 100 streams open, each ending when another begins.
func BenchmarkStreamTable(b *testing.B) {
	var t streamTable
	streams := make([]Stream, 128)
	id := uint32(1)
	for b.Loop() {
		s := &streams[id>>1&127]
		if t.n == 100 {
			t.remove(t.get(id - 200))
		}
		s.id = id
		t.add(s)
		if t.get(id) != s {
			b.Fatal("lost")
		}
		id += 2
	}
}

func BenchmarkStreamMap(b *testing.B) {
	t := map[uint32]*Stream{}
	streams := make([]Stream, 128)
	id := uint32(1)
	for b.Loop() {
		s := &streams[id>>1&127]
		if len(t) == 100 {
			if t[id-200] != nil {
				delete(t, id-200)
			}
		}
		s.id = id
		t[id] = s
		if t[id] != s {
			b.Fatal("lost")
		}
		id += 2
	}
}
