package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// sharedPod is an Endpoint that answers what is asked for at /hold when /release is asked for, and gives the rest to its
// script.
type sharedPod struct {
	addr  string
	conns atomic.Int64
	held  chan struct{} // a request for /hold is here
	holds chan func()   // which end the responses

	// request is called for a head, reset for a stream that the gateway has reset, on its connection's goroutine.
	request func(c *servertest.RawHTTP2, stream uint32, path string)
	reset   func(c *servertest.RawHTTP2, stream uint32)
}

func newSharedPod(t *testing.T) *sharedPod {
	p := &sharedPod{held: make(chan struct{}, 100), holds: make(chan func(), 100)}
	p.addr = servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		p.conns.Add(1)
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.SettingsFrame:
				if !f.IsAck() {
					_ = c.WriteSettingsAck()
				}
			case *http2.RSTStreamFrame:
				if p.reset != nil {
					p.reset(c, f.StreamID)
				}
			case *http2.MetaHeadersFrame:
				switch path := f.PseudoValue("path"); path {
				case "/hold":
					c.Fields(f.StreamID, false, ":status", "200")
					_ = c.WriteData(f.StreamID, false, []byte("he"))
					var rest bytes.Buffer
					_ = http2.NewFramer(&rest, nil).WriteData(f.StreamID, true, []byte("ld"))
					p.holds <- func() { _, _ = c.Write(rest.Bytes()) } // each Write is of whole frames
					p.held <- struct{}{}
				case "/release":
					c.Fields(f.StreamID, true, ":status", "204")
					for range len(p.holds) {
						(<-p.holds)()
					}
				default:
					p.request(c, f.StreamID, path)
				}
			}
		}
	})
	return p
}

// TestClientsOfOneSession: whatever one client's requests make of a session with an Endpoint, another client's response on
// it goes on.
func TestClientsOfOneSession(t *testing.T) {
	t.Parallel()
	small := func(n, size int) []byte {
		var b bytes.Buffer
		fr := http2.NewFramer(&b, nil)
		for range n {
			_ = fr.WriteData(1, false, make([]byte, size))
		}
		return b.Bytes()
	}
	// The stream is the frame header's last four bytes.
	onStream := func(frames []byte, size int, stream uint32) []byte {
		frames = bytes.Clone(frames)
		for i := 0; i < len(frames); i += 9 + size {
			frames[i+7], frames[i+8] = byte(stream>>8), byte(stream)
		}
		return frames
	}
	tiny := small(2500, 10)
	single := small(60000, 1) // nearly a window
	leave := func(t *testing.T, g *gateway, times int) {
		c := servertest.DialHTTP2(t, g.addr)
		for i := range times {
			st := uint32(1 + 2*i)
			c.Request(st, "GET", "/leave", true)
			for {
				f, err := c.ReadFrame()
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				if f.Header().Type == http2.FrameHeaders && f.Header().StreamID == st {
					break
				}
			}
			_ = c.WriteRSTStream(st, http2.ErrCodeCancel)
		}
	}
	asks := func(times, want int) func(*testing.T, *gateway) {
		return func(t *testing.T, g *gateway) {
			c := servertest.HTTP1Client(t)
			for i := range times {
				resp, err := c.Get("http://" + g.addr + "/ask")
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != want {
					t.Fatalf("request %d: status %d, want %d", i, resp.StatusCode, want)
				}
			}
		}
	}
	var large []string
	for i := range 20 {
		large = append(large, fmt.Sprint("x-", i), strings.Repeat("x", 1000))
	}
	for _, row := range []struct {
		name    string
		answer  []string // fields of the head
		resets  func(c *servertest.RawHTTP2, stream uint32)
		client  func(*testing.T, *gateway)
		floods  bool
		request func(c *servertest.RawHTTP2, stream uint32) // instead of answer
	}{
		{name: "small messages behind a reset", answer: []string{":status", "200"},
			resets: func(c *servertest.RawHTTP2, st uint32) { _, _ = c.Write(onStream(tiny, 10, st)) },
			client: func(t *testing.T, g *gateway) { leave(t, g, 6) }},
		{name: "single bytes behind a reset, up to the window", answer: []string{":status", "200"},
			resets: func(c *servertest.RawHTTP2, st uint32) { _, _ = c.Write(onStream(single, 1, st)) },
			client: func(t *testing.T, g *gateway) { leave(t, g, 2) }},
		{name: "the end of what was cancelled", answer: []string{":status", "200"},
			resets: func(c *servertest.RawHTTP2, st uint32) {
				_ = c.WriteWindowUpdate(st, 1000)
				_ = c.WriteData(st, false, []byte("late"))
				c.Fields(st, true, "grpc-status", "0")
				_ = c.WriteRSTStream(st, http2.ErrCodeNo)
			},
			client: func(t *testing.T, g *gateway) {
				for range 8 { // each of them resets no more than a client may
					leave(t, g, 250)
				}
			}},
		{name: "large heads", client: asks(300, 200), request: func(c *servertest.RawHTTP2, st uint32) {
			c.Block.Reset()
			_ = c.Enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			for i := 0; i < len(large); i += 2 {
				_ = c.Enc.WriteField(hpack.HeaderField{Name: large[i], Value: large[i+1], Sensitive: true})
			}
			b := c.Block.Bytes()
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: st, BlockFragment: b[:16384], EndStream: true})
			_ = c.WriteContinuation(st, true, b[16384:])
		}},
		{name: "heads beyond all limits", client: asks(20, 502), request: func(c *servertest.RawHTTP2, st uint32) {
			c.Block.Reset()
			_ = c.Enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			for i := range 300 {
				_ = c.Enc.WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: strings.Repeat("~", 1000)})
			}
			b := c.Block.Bytes()
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: st, BlockFragment: b[:16384], EndStream: true})
			for b = b[16384:]; len(b) > 0; {
				n := min(len(b), 16384)
				_ = c.WriteContinuation(st, n == len(b), b[:n])
				b = b[n:]
			}
		}},
		{name: "malformed heads", answer: []string{":status", "200", "connection", "keep-alive"}, client: asks(400, 502)},
		{name: "interim heads", client: asks(300, 200), request: func(c *servertest.RawHTTP2, st uint32) {
			for range 7 {
				c.Fields(st, false, ":status", "103", "link", "</a>")
			}
			c.Fields(st, true, ":status", "200")
		}},
		{name: "PING without end", floods: true, client: asks(2, 200), request: func(c *servertest.RawHTTP2, st uint32) {
			for range 400 * (st / 3) { // on the connection that carries the other's response
				_ = c.WritePing(false, [8]byte{1})
			}
			c.Fields(st, true, ":status", "200")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pod := newSharedPod(t)
			pod.reset = row.resets
			pod.request = func(c *servertest.RawHTTP2, st uint32, _ string) {
				if row.request != nil {
					row.request(c, st)
					return
				}
				c.Fields(st, false, row.answer...)
			}
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveProtocol(routing.H2C, pod.addr)
			innocent := g.wire()
			innocent.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
			<-pod.held
			row.client(t, g)
			resp, err := servertest.HTTP1Client(t).Get("http://" + g.addr + "/release")
			if err != nil || resp.StatusCode != 204 {
				t.Fatalf("release: %v %v", resp, err)
			}
			if got := innocent.ReadAnswer("GET"); got.StatusCode != http.StatusOK || got.Text != "held" || got.Cut != nil {
				t.Errorf("the other client got %d %q, %v", got.StatusCode, got.Text, got.Cut)
			}
			want := 1
			if row.floods {
				want = 2
			}
			if n := pod.conns.Load(); n != int64(want) {
				t.Errorf("%d connections to the Endpoint, want %d", n, want)
			}
			w := g.workers[0]
			servertest.Until(t, "the session that was flooded to close", func() bool {
				open := make(chan int, 1)
				w.Post(func() { open <- w.up.CountSessions().Sessions })
				return <-open == 1
			})
			counted := make(chan uint64, 1)
			w.Post(func() { counted <- w.Shard.EndpointFloods[h2.FloodPing] })
			if n := <-counted; n != uint64(want-1) {
				t.Errorf("%d floods counted, want %d", n, want-1)
			}
		})
	}
}

// TestEarlyAnswerToManyMessages: a client that streams small messages and is answered before their end keeps its other
// streams.
func TestEarlyAnswerToManyMessages(t *testing.T) {
	t.Parallel()
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.H2C} {
		t.Run(protocol.String(), func(t *testing.T) {
			hold := make(chan struct{})
			backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor == 1 {
					w.Header().Set("Connection", "close") // else it would wait for the body first
				}
				if r.URL.Path == "/hold" {
					w.(http.Flusher).Flush()
					<-hold
					_, _ = w.Write([]byte("held"))
				}
			}))
			defer close(hold)
			g := newGateway(t, nil, Options{})
			g.serveProtocol(protocol, backend)
			c := servertest.DialHTTP2(t, g.addr)
			c.Request(1, "GET", "/hold", true)
			for round := range uint32(10) {
				st := 3 + 2*round
				c.Request(st, "POST", "/early", false)
				for {
					f, err := c.ReadFrame()
					if err != nil {
						t.Fatal(err)
					}
					if f.Header().Type == http2.FrameRSTStream && f.Header().StreamID == st {
						break
					}
					if _, ok := f.(*http2.GoAwayFrame); ok {
						t.Fatalf("round %d: %v", round, f)
					}
				}
				var late bytes.Buffer
				fr := http2.NewFramer(&late, nil)
				for range 2500 {
					_ = fr.WriteData(st, false, make([]byte, 60))
				}
				_, _ = c.Write(late.Bytes())
			}
			_ = c.WritePing(false, [8]byte{7})
			for ponged := false; ; {
				f, err := c.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				switch f := f.(type) {
				case *http2.GoAwayFrame:
					t.Fatal(f)
				case *http2.PingFrame:
					ponged = true
					hold <- struct{}{}
				case *http2.DataFrame:
					if f.StreamID == 1 && f.StreamEnded() {
						if !ponged {
							t.Error("ended before its time")
						}
						return
					}
				}
			}
		})
	}
}
