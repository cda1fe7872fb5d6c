package server

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestSessionErrorWithOpenStreams: a connection error while Exchanges are under way ends that connection and nothing else.
func TestSessionErrorWithOpenStreams(t *testing.T) {
	t.Parallel()
	held := make(chan struct{}, 10)
	release := make(chan struct{})
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			held <- struct{}{}
			<-release
		}
		_, _ = w.Write([]byte("ok"))
	}))
	defer close(release)
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.H2C} {
		g := newGateway(t, nil, Options{})
		g.serveProtocol(protocol, backend)
		c := servertest.DialHTTP2(t, g.addr)
		for i := range uint32(3) {
			c.Request(1+2*i, "GET", "/hold", true)
			<-held
		}
		_ = c.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 7, make([]byte, 20000))
		for {
			f, err := c.ReadFrame()
			if err != nil {
				t.Fatalf("no GOAWAY: %v", err)
			}
			if f, ok := f.(*http2.GoAwayFrame); ok {
				if f.ErrCode != http2.ErrCodeFrameSize {
					t.Errorf("GOAWAY says %v", f.ErrCode)
				}
				break
			}
		}
		if _, err := c.ReadFrame(); err != io.EOF {
			t.Errorf("after GOAWAY: %v, want EOF", err)
		}
		resp, err := servertest.HTTP2Client(t).Get("http://" + g.addr + "/")
		if err != nil {
			t.Fatalf("the gateway is gone: %v", err)
		}
		resp.Body.Close()
	}
}

// TestSessionAnsweredAtOnce: requests that the gateway answers itself, while their bodies are still to come.
func TestSessionAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil) // no Endpoint
	c := servertest.DialHTTP2(t, g.addr)
	for i := range uint32(10) {
		c.Request(1+2*i, "POST", "/", i%2 == 0, "content-type", "application/grpc")
	}
	for ended := 0; ended < 10; {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("after %d answers: %v", ended, err)
		}
		if f, ok := f.(*http2.HeadersFrame); ok && f.StreamEnded() {
			ended++
		}
	}
}

// TestSessionConnectFails: requests over HTTP/2 on both sides whose Endpoint refuses connections are answered.
func TestSessionConnectFails(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serveProtocol(routing.H2C, servertest.Refusing(t))
	for range 20 {
		resp, err := servertest.HTTP2Client(t).Get("http://" + g.addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 502 && resp.StatusCode != 503 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
}

// TestWebSocketWaitsForSettings: an extended CONNECT is opened only when the Endpoint's SETTINGS allow one, and refused
// where it does not, without harm to the Endpoint.
func TestWebSocketWaitsForSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		settings []http2.Setting
		want     int
	}{
		{"offered", []http2.Setting{{ID: http2.SettingEnableConnectProtocol, Val: 1}}, 101},
		{"not offered", nil, 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go serveSettingsLate(t, c, tt.settings)
				}
			}()
			g := newGateway(t, nil, Options{})
			g.serveProtocol(routing.H2C, ln.Addr().String())
			for range 20 { // more than any Endpoint may fail
				c, err := net.Dial("tcp", g.addr)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				c.Close()
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != tt.want {
					t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
				}
			}
		})
	}
}

// serveSettingsLate is an Endpoint that sends its SETTINGS when it has seen the client's, and then accepts every request.
func serveSettingsLate(t *testing.T, c net.Conn, settings []http2.Setting) {
	defer c.Close()
	fr := http2.NewFramer(c, c)
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	for settled := false; ; {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !settled {
				time.Sleep(10 * time.Millisecond) // plays a slow peer
				settled = true
				_ = fr.WriteSettings(settings...)
				_ = fr.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if !settled || len(settings) == 0 {
				t.Error("an extended CONNECT that was not offered")
			}
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: block.Bytes(), EndHeaders: true})
		}
	}
}

// TestSlowClientsShareASession: clients that do not read delay no others, though their responses come over one connection of
// the Endpoint's.
func TestSlowClientsShareASession(t *testing.T) {
	t.Parallel()
	chunk := make([]byte, 64<<10)
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			_, _ = w.Write([]byte("ok"))
			return
		}
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.H2C, backend)
	for range 60 {
		c := g.wire() // reads nothing
		defer c.Close()
		c.Send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	c := servertest.HTTP1Client(t)
	for range 50 {
		resp, err := c.Get("http://" + g.addr + "/quick")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "ok" || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
		time.Sleep(10 * time.Millisecond) // the slow ones' buffers fill meanwhile
	}
}

// TestRapidReset: streams that a client opens and resets in one write cost no more than a few connections to the Endpoint,
// and a stream behind them that it means is served.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	var accepted atomic.Int64
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.URL.Path)) }),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				accepted.Add(1)
			}
		},
	}
	go backend.Serve(ln)
	t.Cleanup(func() { backend.Close() })
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.HTTP, ln.Addr().String())
	c := servertest.DialHTTP2(t, g.addr)
	var burst bytes.Buffer
	framer := http2.NewFramer(&burst, nil)
	const most = 90 // more in one read are a flood
	for id := uint32(1); id < 2*most; id += 2 {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Head("GET", "/"), EndHeaders: true, EndStream: true})
		_ = framer.WriteRSTStream(id, http2.ErrCodeCancel)
	}
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*most + 1, BlockFragment: c.Head("GET", "/kept"), EndHeaders: true, EndStream: true})
	_, _ = c.Write(burst.Bytes())
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := f.(*http2.DataFrame); ok && d.StreamID == 2*most+1 {
			if string(d.Data()) != "/kept" {
				t.Errorf("got the response of %q", d.Data())
			}
			break
		}
	}
	if n := accepted.Load(); n > 4 {
		t.Errorf("%d connections for %d streams that were given up", n, most)
	}
}
