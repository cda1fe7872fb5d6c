package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestDrain: GOAWAY in two phases, section 6.8.
func TestDrain(t *testing.T) {
	p := newPeer(t, Config{}, true)
	p.headers(1, true, get...)
	p.flush()
	p.c.GoAway(false)
	p.headers(3, true, get...) // was on its way
	p.flush()
	p.c.GoAway(true)
	p.headers(5, false, with(post, "x-new=1")...) // too late: ignored to its end, but for HPACK
	p.f.WriteData(5, false, []byte("x"))
	p.headers(5, true, "x-new=1")
	p.flush()
	if got := strings.Join(p.frames(), "; "); got != "GOAWAY 2147483647 NO_ERROR; GOAWAY 3 NO_ERROR" {
		t.Errorf("output %s", got)
	}
	if got := strings.Join(p.r.log, "; "); got != getEvent+"; 3 request GET / host=a end" {
		t.Errorf("events %s", got)
	}
	if p.c.Open() != 2 || p.c.Err() != nil {
		t.Errorf("%d open, %v", p.c.Open(), p.c.Err())
	}
	p.raw(framePing, 0, 1, "12345678")
	p.flush()
	if got := strings.Join(p.frames(), "; "); got != "GOAWAY 3 PROTOCOL_ERROR" {
		t.Errorf("the last stream went up: %s", got)
	}
}

// TestOwner: what the owner of a connection steers by.
func TestOwner(t *testing.T) {
	p := newPeer(t, Config{MaxOutput: 1000}, true)
	p.headers(1, true, ":method=HEAD", ":scheme=http", ":path=/", ":authority=a")
	p.flush()
	s := p.r.streams[1]
	if s.Method() != message.MethodHead || !p.c.Settled() || p.c.ExtendedConnect() {
		t.Errorf("method %v, settled %v", s.Method(), p.c.Settled())
	}
	p.c.Ping(77)
	if got := strings.Join(p.frames(), "; "); got != "PING ack=false 000000000000004d" {
		t.Errorf("output %s", got)
	}
	if p.c.Congested() || p.c.partial() {
		t.Errorf("congested %v without output, partial %v without input", p.c.Congested(), p.c.partial())
	}
	for range 200 {
		p.f.WritePing(false, [8]byte{})
	}
	p.flush()
	if !p.c.Congested() || p.c.Err() != nil {
		t.Errorf("%d bytes of output: %v", len(p.c.Output()), p.c.Err())
	}
	p.c.Wrote(len(p.c.Output()))
	if p.c.Congested() || p.c.out != nil {
		t.Error("congested after all was written")
	}
	p.c.fail(floodErrors[FloodPing])
	if err := p.c.Err(); err == nil || err.Error() != "ENHANCE_YOUR_CALM: too much of: ping" {
		t.Errorf("error %v", err)
	}
	p.c.WriteHead(s, 200, Outgoing{}, false) // nothing is sent any more
	p.c.WriteInterim(s, 103, Outgoing{})
	p.c.WriteTrailers(s, Outgoing{})
	p.c.Release(s)
	if got := strings.Join(p.frames(), "; "); got != "GOAWAY 1 ENHANCE_YOUR_CALM" {
		t.Errorf("output %s", got)
	}
	if Code(99).String() != "UNKNOWN" {
		t.Error("a name for code 99")
	}
}

// TestReuse: a connection that was closed in the middle of everything serves the next peer like a new one.
func TestReuse(t *testing.T) {
	p := newPeer(t, Config{}, true)
	shared := p.c.shared
	p.f.WriteSettings(http2.Setting{ID: 4, Val: 5}, http2.Setting{ID: 1, Val: 0})
	p.headers(1, false, with(post, "x-new=1")...)
	p.headers(3, true, get...)
	p.flush()
	p.c.GoAway(true)
	p.raw(frameHeaders, 0, 5, "half a block")
	p.raw(frameContinuation, 0, 5, "half a frame")
	p.in.Truncate(p.in.Len() - 4)
	p.flush()
	if p.err != nil || p.c.Open() != 2 || !p.c.partial() {
		t.Fatalf("%v, %d open", p.err, p.c.Open())
	}
	if p.c.in == nil || !p.c.block.active {
		t.Fatal("nothing is held")
	}
	old := p.c
	old.Close()

	q := &peer{t: t, r: &recorder{}, now: 1e9, dec: p.dec}
	q.c = shared.NewServer(q.now, q.r)
	if q.c != old {
		t.Error("not reused")
	}
	q.r.c = q.c
	fresh := rawPeer(t, Config{}, true)
	for _, x := range []*peer{q, fresh} {
		if x == q {
			x.f, x.enc, x.dec = http2.NewFramer(&x.in, nil), hpack.NewEncoder(&x.hb), hpack.NewDecoder(4096, nil)
		}
		x.in.WriteString(Preface)
		x.f.WriteSettings()
		x.r.do = answer(x)
		x.headers(1, true, with(get, "x-new=1")...)
		x.flush()
	}
	if got, want := strings.Join(q.r.log, "; "), strings.Join(fresh.r.log, "; "); got != want {
		t.Errorf("events %s, of a new one %s", got, want)
	}
	if got, want := strings.Join(q.frames(), "; "), strings.Join(fresh.frames(), "; "); got != want {
		t.Errorf("output %s, of a new one %s", got, want)
	}
}
