package h2

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// conversation is bytes of a client that make use of everything.
func conversation(t testing.TB) []byte {
	p := rawPeer(t, Config{}, true)
	p.in.WriteString(Preface)
	p.f.WriteSettings(http2.Setting{ID: 4, Val: 1000})
	p.f.WriteSettingsAck()
	p.headers(1, true, with(get, "user-agent=x", "cookie=a", "cookie=b")...)
	p.headers(3, false, with(post, "content-length=300")...)
	p.f.WriteDataPadded(3, false, make([]byte, 100), make([]byte, 50))
	p.f.WriteWindowUpdate(0, 1000)
	p.f.WritePing(false, [8]byte{1})
	p.f.WriteData(3, true, make([]byte, 200))
	b := p.block(with(post, "x-long="+strings.Repeat("y", 500))...)
	p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: b[:20], PadLength: 7})
	p.f.WriteContinuation(5, false, b[20:30])
	p.f.WriteContinuation(5, true, b[30:])
	p.raw(0x99, 0, 5, "unknown")
	p.f.WriteData(5, false, make([]byte, 20000)[:16000])
	p.headers(5, true, "x-trailer=1")
	p.headers(7, true, "x=malformed")
	p.headers(9, true, with(get, "user-agent=x")...)
	p.f.WriteRSTStream(9, 8)
	p.f.WriteGoAway(0, 0, []byte("bye"))
	return p.in.Bytes()
}

// outcome is all that a peer and a handler can see of a conversation.
func outcome(t testing.TB, in []byte, server bool, split func(n int) int) (events, output string, err error) {
	r := &recorder{}
	shared := NewShared(Config{ExtendedConnect: true, MaxHead: 4 << 10, MaxStreams: 8})
	var c *Conn
	if server {
		c = shared.NewServer(1e9, r)
	} else {
		c = shared.NewClient(1e9, r, true)
		openGet(c, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
		openGet(c, "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
	}
	r.c = c
	if server {
		r.do = func(e string, s *Stream) {
			if _, what, _ := strings.Cut(e, " "); strings.HasPrefix(what, "request ") {
				c.WriteHead(s, 200, Outgoing{Lines: []byte("a: b\r\n")}, false)
				c.WriteData(s, []byte("hello"), true)
			}
		}
	}
	for len(in) > 0 && err == nil {
		n := split(len(in))
		piece := bytes.Clone(in[:n])
		err = c.Feed(1e9, piece)
		for i := range piece {
			piece[i] = 0xaa // nothing may be kept of it
		}
		in = in[n:]
		if n := cap(c.in) + cap(c.block.buf) + cap(c.out); n > 1<<20 {
			t.Fatalf("%d bytes held", n)
		}
	}
	// Pieces of DATA depend on the split; their sums do not.
	sums := map[string]int{}
	re := regexp.MustCompile(`^(\d+) data (\d+)( end)?$`)
	var list []string
	for _, e := range r.log {
		if m := re.FindStringSubmatch(e); m != nil {
			var n int
			fmt.Sscan(m[2], &n)
			if sums[m[1]] += n; m[3] == "" {
				continue
			}
			e = fmt.Sprintf("%s data %d end", m[1], sums[m[1]])
		}
		list = append(list, e)
	}
	for _, id := range slices.Sorted(func(yield func(string) bool) {
		for id := range sums {
			if !yield(id) {
				return
			}
		}
	}) {
		list = append(list, fmt.Sprintf("%s: %d bytes", id, sums[id]))
	}
	return strings.Join(list, "\n"), string(c.Output()), err
}

func whole(n int) int  { return n }
func bytewise(int) int { return 1 }

// TestSplits: it does not matter how the bytes were split.
func TestSplits(t *testing.T) {
	in := conversation(t)
	events, output, err := outcome(t, in, true, whole)
	if !strings.Contains(events, "goaway 0") || err != nil {
		t.Fatalf("%s\n%v", events, err)
	}
	check := func(how string, split func(int) int) {
		e, o, err := outcome(t, in, true, split)
		if e != events || o != output || err != nil {
			t.Fatalf("%s: got\n%s\n%v\nwant\n%s", how, e, err, events)
		}
	}
	check("bytewise", bytewise)
	for at := range len(in) {
		if at > 600 && at%37 != 0 {
			continue
		}
		check(fmt.Sprintf("at %d", at), func(n int) int {
			if n == len(in) && at > 0 {
				return at
			}
			return n
		})
	}
	for _, size := range []int{2, 3, 5, 7, 9, 10, 64, 1000} {
		check(fmt.Sprintf("by %d", size), func(n int) int { return min(n, size) })
	}
}

// FuzzFeed: no bytes make a connection fall over, hold much memory, behave differently when they come one by one,
// or write what x/net cannot read.
func FuzzFeed(f *testing.F) {
	f.Add(conversation(f), true)
	f.Add(conversation(f)[len(Preface):], false)
	p := rawPeer(f, Config{}, false)
	p.f.WriteSettings(http2.Setting{ID: 8, Val: 1}, http2.Setting{ID: 4, Val: 10})
	p.headers(1, false, ":status=103", "link=x")
	p.headers(1, false, ":status=200", "content-length=3")
	p.f.WriteData(1, true, []byte("abc"))
	p.headers(3, true, ":status=200", "content-length=3")
	f.Add(bytes.Clone(p.in.Bytes()), false)
	for _, raw := range []string{"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "PRI"} {
		f.Add([]byte(raw), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, server bool) {
		if len(in) > 1<<16 {
			return
		}
		if server && !bytes.HasPrefix(in, []byte("PRI")) {
			in = append([]byte(Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), in...)
		}
		events, output, err := outcome(t, in, server, whole)
		e, o, err2 := outcome(t, in, server, bytewise)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v in one piece, %v bytewise", err, err2)
		}
		if err == nil && (e != events || o != output) {
			t.Fatalf("in one piece\n%s\nbytewise\n%s", events, e)
		}
		out := strings.TrimPrefix(output, Preface)
		fr := http2.NewFramer(nil, strings.NewReader(out))
		for {
			if _, err := fr.ReadFrame(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("x/net cannot read the output: %v", err)
			}
		}
		// Every head that was delivered is valid for HTTP/1: recorder saw it; here again with h1.
		k := &keeper{}
		c := NewShared(Config{ExtendedConnect: true, MaxHead: 4 << 10}).NewServer(1e9, k)
		k.c = c
		if server && c.Feed(1e9, in) == nil && k.count > 0 && len(k.req.Fields) <= 128 {
			sameAsH1(t, &k.req, k.head)
		}
	})
}
