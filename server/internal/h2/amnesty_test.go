package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// early answers every request before its body, which is then of no use.
func early(p *peer) {
	p.r.do = func(e string, s *Stream) {
		if strings.Contains(e, "request") {
			p.c.WriteHead(s, 200, Outgoing{}, true)
			p.c.Release(s)
		}
	}
}

// wantNone fails where one of the frames that we wrote begins with one of the words.
func (p *peer) wantNone(words ...string) {
	p.t.Helper()
	for _, f := range p.frames() {
		for _, w := range words {
			if strings.Contains(f, w) {
				p.t.Fatalf("we wrote %s", f)
			}
		}
	}
}

// TestBehindEarlyAnswer: a client that streams small messages does not know at once that it was answered.
func TestBehindEarlyAnswer(t *testing.T) {
	p := newPeer(t, Config{}, true)
	early(p)
	for id := uint32(1); id < 200; id += 2 {
		p.headers(id, false, post...)
		p.flush()
		p.wantNone("GOAWAY")
		for range 2500 {
			p.f.WriteData(id, false, make([]byte, 60))
		}
		p.f.WriteData(id, true, nil)
		p.flush()
		if p.err != nil {
			t.Fatalf("stream %d: %v", id, p.err)
		}
		p.wantNone("GOAWAY", "RST STREAM_CLOSED")
	}
}

// TestBehindStream: the same where messages were taken before the answer came: as many as were taken in a round
// trip may be on their way in the next, of whatever size.
func TestBehindStream(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.headers(1, false, post...)
	for range 10000 {
		p.f.WriteData(1, false, make([]byte, 5))
	}
	p.flush()
	st := p.r.streams[1]
	p.c.WriteHead(st, 200, Outgoing{}, true)
	p.c.Release(st)
	for range 10000 {
		p.f.WriteData(1, false, make([]byte, 5))
	}
	p.flush()
	if p.err != nil {
		t.Error(p.err)
	}
}

// TestManyResetsAtOnce: when all streams of a connection are reset at a time, none of what is on its way costs the
// peer anything, though only some of them are remembered.
func TestManyResetsAtOnce(t *testing.T) {
	for _, server := range []bool{true, false} {
		p := newPeer(t, Config{ConnWindow: 128 << 10, StreamWindow: 65535}, server)
		var streams []*Stream
		for round := range 40 {
			streams = streams[:0]
			for i := range uint32(100) {
				id := uint32(round)*200 + 1 + 2*i
				if server {
					p.headers(id, false, post...)
					p.flush()
					streams = append(streams, p.r.streams[id])
				} else {
					s, ok := openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
					if !ok {
						t.Fatalf("server %v, round %d: no stream", server, round)
					}
					streams = append(streams, s)
				}
			}
			p.frames()
			for _, s := range streams {
				p.c.Release(s)
			}
			p.frames()
			// The connection's window is full of what was on its way.
			for i := range uint32(100) {
				id := uint32(round)*200 + 1 + 2*i
				if !server {
					p.headers(id, false, ":status=200")
				}
				for range 10 {
					p.f.WriteData(id, false, make([]byte, 90))
				}
				p.headers(id, true, "x=1")
				p.f.WriteWindowUpdate(id, 10)
				p.f.WriteRSTStream(id, 8)
			}
			p.flush()
			if p.err != nil {
				t.Fatalf("server %v, round %d: %v", server, round, p.err)
			}
			p.wantNone("GOAWAY", "RST")
		}
	}
}

// TestWindowBehindReset: data behind a reset still counts for the connection's window, to the byte.
func TestWindowBehindReset(t *testing.T) {
	const window = 65535
	p := newPeer(t, Config{ConnWindow: window, StreamWindow: window}, false)
	open := window
	for range 50 {
		s, _ := openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
		p.frames()
		id := s.id
		p.headers(id, false, ":status=200")
		p.flush()
		p.c.Release(s)
		p.frames()
		for n := open; n > 0; n -= 100 {
			p.f.WriteData(id, false, make([]byte, min(n, 100)))
		}
		p.flush()
		if p.err != nil {
			t.Fatal(p.err)
		}
		open = int(p.c.recvOpen)
		if int(p.c.recvOpen+p.c.credit) != window {
			t.Fatalf("%d bytes of the window are lost", window-int(p.c.recvOpen+p.c.credit))
		}
		p.frames()
	}
}

// TestBusyClient: 100 calls a second that their client resets unanswered, for a day, are no flood, on either side.
func TestBusyClient(t *testing.T) {
	const rate = 100
	day := 86400
	if testing.Short() {
		day /= 24
	}
	p := newPeer(t, Config{}, true)
	q := newPeer(t, Config{}, false)
	for i := range uint32(rate * day / 20) {
		id := 1 + 2*i
		p.headers(id, true, get...)
		p.flush()
		s, ok := openGet(q.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
		if !ok {
			t.Fatal("no stream")
		}
		p.now += 1e9 / rate
		q.now += 1e9 / rate
		p.f.WriteRSTStream(id, 8)
		p.flush()
		q.c.Release(s)
		// The answer crosses the reset.
		q.headers(id, false, ":status=200")
		q.f.WriteData(id, false, []byte("x"))
		q.headers(id, true, "grpc-status=0")
		q.flush()
		if p.err != nil || q.err != nil || len(q.r.log) > 0 {
			t.Fatalf("after %d: %v; %v %v", i, p.err, q.err, q.r.log)
		}
		if i%1000 == 0 {
			p.frames()
			q.frames()
			p.r.log, p.r.streams, p.r.data = nil, nil, nil
		}
	}
}

// TestRestIsNoCredit: neither an hour of silence nor a long download pays for a flood.
func TestRestIsNoCredit(t *testing.T) {
	for _, name := range []string{"silence", "download"} {
		p := newPeer(t, Config{}, true)
		if name == "silence" {
			p.now += 3600e9
		} else {
			p.f.WriteSettings(http2.Setting{ID: 4, Val: 1 << 30})
			p.f.WriteWindowUpdate(0, 1<<30)
			p.headers(1, true, get...)
			p.flush()
			st := p.r.streams[1]
			p.c.WriteHead(st, 200, Outgoing{}, false)
			piece := make([]byte, maxFrame)
			for range (128 << 20) / maxFrame {
				p.c.WriteData(st, piece, false)
				p.c.Wrote(len(p.c.Output()))
			}
		}
		sent := uint32(0)
		for ; p.err == nil && sent < 10000; sent++ {
			p.headers(3+2*sent, true, get...)
			p.flush()
			p.f.WriteRSTStream(3+2*sent, 8)
			p.flush()
		}
		if limit := uint32(floodLimits[FloodReset]); sent > 2*limit+10 {
			t.Errorf("after %s: cut off after %d, want at most %d", name, sent, 2*limit+10)
		}
	}
}

// TestHeadsInPieces: a head of more than a frame costs nothing, however many there are.
func TestHeadsInPieces(t *testing.T) {
	for _, server := range []bool{true, false} {
		p := newPeer(t, Config{}, server)
		if server {
			p.r.do = answer(p)
		}
		for i := range uint32(1000) {
			id := 1 + 2*i
			fields := []string{":status=200"}
			if server {
				fields = get
			} else if _, ok := openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"); !ok {
				t.Fatal("no stream")
			}
			b := p.block(with(fields, "x="+strings.Repeat("~", 20000))...)
			p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b[:maxFrame], EndStream: true})
			p.f.WriteContinuation(id, true, b[maxFrame:])
			p.flush()
			p.frames()
			if p.err != nil {
				t.Fatalf("server %v, head %d: %v", server, i, p.err)
			}
		}
	}
}

// TestFaultsOfAnEndpoint: each is one stream's, and what an Endpoint makes us answer is bounded by what it reads, not
// by what waits for it.
func TestFaultsOfAnEndpoint(t *testing.T) {
	p := newPeer(t, Config{MaxOutput: 1000}, false)
	for range 100 { // requests that it does not read yet
		openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\nx: "+strings.Repeat("~", 1000)+"\r\n\r\n")
	}
	p.f.WritePing(false, [8]byte{})
	p.flush()
	for i := range uint32(50) {
		p.headers(1+2*i, true, ":status=200", "connection=close")
	}
	p.flush()
	if p.err != nil {
		t.Fatal(p.err)
	}
	for i := range uint32(2000) {
		p.frames()
		s, ok := openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
		if !ok {
			t.Fatal("no stream")
		}
		p.headers(s.id, true, ":status=200", "connection=close")
		p.flush()
		if p.err != nil {
			t.Fatalf("after %d: %v", i, p.err)
		}
	}
	for range 1000 {
		p.f.WritePing(false, [8]byte{})
		p.now += 1e9
	}
	p.flush()
	if e, _ := p.err.(*ConnError); e == nil || e.Flood != FloodOutput {
		t.Errorf("an Endpoint that reads nothing: %v", p.err)
	}
}

// TestFloodByEndpoint: it is told of once, and ends the connection only when it goes on.
func TestFloodByEndpoint(t *testing.T) {
	p := newPeer(t, Config{}, false)
	sent := 0
	for ; p.err == nil && sent < 100000; sent++ {
		p.f.WritePing(false, [8]byte{})
		p.flush()
		p.frames()
		if sent == 2*int(floodLimits[FloodPing]) && strings.Join(p.r.log, ";") != "flooded ping" {
			t.Fatalf("after %d: %v", sent, p.r.log)
		}
	}
	e, _ := p.err.(*ConnError)
	if want := (maxLapses + 1) * int(floodLimits[FloodPing]); e == nil || e.Flood != FloodPing || sent < want || sent > 2*want {
		t.Errorf("cut off after %d, want %d: %v", sent, want, p.err)
	}
	if len(p.r.log) != 1 {
		t.Errorf("told %d times", len(p.r.log))
	}
}

// TestHeadsTooLongToKeep: a head of many times what we take is its stream's fault, the dynamic table stays in step,
// and other streams go on; one without end is the connection's.
func TestHeadsTooLongToKeep(t *testing.T) {
	send := func(p *peer, id uint32, end bool, b []byte) {
		p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b[:7000], EndStream: end})
		for b = b[7000:]; len(b) > 0; {
			n := min(len(b), maxFrame)
			p.f.WriteContinuation(id, n == len(b), b[:n])
			b = b[n:]
		}
	}
	var large []string
	for i := range 300 {
		large = append(large, "x-large=a"+strings.Repeat("~", 1000+i))
	}
	large = append(large, "x-indexed=behind all that")
	for _, row := range []struct {
		name   string
		server bool
		play   func(p *peer)
		events string
		output string
	}{
		{"request", true, func(p *peer) {
			p.headers(1, false, post...)
			send(p, 3, true, p.block(with(get, large...)...))
			p.headers(5, true, with(get, "x-indexed=behind all that")...)
			p.f.WriteData(1, true, []byte("x"))
		}, "1 request POST / host=a; 3 fault header too large; 5 request GET / host=a x-indexed=behind all that end; 1 data 1 end", ""},
		{"trailers", true, func(p *peer) {
			p.headers(1, false, post...)
			p.headers(3, false, post...)
			send(p, 3, true, p.block(large...))
			p.headers(5, true, with(get, "x-indexed=behind all that")...)
			p.f.WriteData(1, true, []byte("x"))
		}, "1 request POST / host=a; 3 request POST / host=a; 3 fault response header or trailers too large; 5 request GET / host=a x-indexed=behind all that end; 1 data 1 end", "3 RST CANCEL"},
		{"response", false, func(p *peer) {
			for range 3 {
				openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			}
			p.frames()
			p.headers(1, false, ":status=200")
			send(p, 3, true, p.block(with([]string{":status=200"}, large...)...))
			p.headers(5, true, ":status=200", "x-indexed=behind all that")
			p.f.WriteData(1, true, []byte("x"))
		}, "1 response 200; 3 fault response header or trailers too large; 5 response 200 x-indexed=behind all that end; 1 data 1 end", "3 RST CANCEL"},
		{"response to what was cancelled", false, func(p *peer) {
			s, _ := openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.c.Release(s)
			p.frames()
			send(p, 1, true, p.block(with([]string{":status=200"}, large...)...))
			p.headers(3, true, ":status=200", "x-indexed=behind all that")
		}, "3 response 200 x-indexed=behind all that end", ""},
		{"one field without end", false, func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			send(p, 1, true, p.block(":status=200", "x="+strings.Repeat("~", 200<<10)))
		}, "", "GOAWAY 0 ENHANCE_YOUR_CALM"},
		{"too many fields", false, func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			send(p, 1, true, p.block(with(large, with(large, large...)...)...))
		}, "", "GOAWAY 0 ENHANCE_YOUR_CALM"},
		{"malformed behind what is skipped", false, func(p *peer) {
			openGet(p.c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
			p.frames()
			send(p, 1, true, append(p.block(large...), 0x80))
		}, "", "GOAWAY 0 COMPRESSION_ERROR"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPeer(t, Config{}, row.server)
			row.play(p)
			p.flush()
			if got := strings.Join(p.r.log, "; "); got != row.events {
				t.Errorf("events %s, want %s", got, row.events)
			}
			if got := strings.Join(p.frames(), "; "); !strings.Contains(got, row.output) || row.output == "" && got != "" {
				t.Errorf("output %s, want %s", got, row.output)
			}
		})
	}
}
