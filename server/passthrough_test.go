package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// certificateAt returns the certificate that is presented at addr to a client that asks for name.
func certificateAt(t *testing.T, addr, name string) []byte {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Raw
}

// TestPassthrough: the Host's clients see its Backend's own certificate and protocols, and the Backend their bytes; all
// others end at the gateway, on the same port.
func TestPassthrough(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g := newGateway(t, func(c *config.Config) { c.AccessLog.Path = file }, Options{})
	report := func(who string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s %q", who, r.Proto, r.Header.Get("X-Forwarded-For"))
		}
	}
	secure := servertest.StartBackend(t, true, report("Backend"))
	g.servePassthrough(servertest.Backend(t, report("app")), secure)

	own := certificateAt(t, secure, "pass.test")
	for name, passed := range map[string]bool{"pass.test": true, "PASS.test": true, "other.test": false, "": false, "a.pass.test": false} {
		if bytes.Equal(certificateAt(t, g.secureAddr, name), own) != passed {
			t.Errorf("%q: passed through %v, want %v", name, !passed, passed)
		}
	}
	for _, row := range []struct {
		name, want string
		client     func(*testing.T) *http.Client
	}{
		{"pass.test", `Backend HTTP/1.1 ""`, servertest.HTTP1Client},
		{"pass.test", `Backend HTTP/2.0 ""`, servertest.HTTP2Client},
		{"other.test", `app HTTP/1.1 "127.0.0.1"`, servertest.HTTP1Client},
		{"other.test", `app HTTP/1.1 "127.0.0.1"`, servertest.HTTP2Client},
	} {
		c := row.client(t)
		tr := c.Transport.(*http.Transport)
		tr.TLSClientConfig.ServerName = row.name
		for range 3 {
			if got := servertest.Get(t, c, "https://"+g.secureAddr+"/"); got != row.want {
				t.Errorf("%s: got %s, want %s", row.name, got, row.want)
			}
		}
		tr.CloseIdleConnections()
	}
	// Unknown Backend: no answer at all.
	if _, err := tls.Dial("tcp", g.secureAddr, &tls.Config{ServerName: "nopass.test", InsecureSkipVerify: true}); !errors.Is(err, io.EOF) {
		t.Errorf("without a Backend: %v, want EOF", err)
	}
	if n := g.failures(stats.NoEndpoint); n != 1 {
		t.Errorf("%d connections without an Endpoint are counted", n)
	}
	if n := g.counted(func(c *stats.Counters) uint64 { return c.Passthroughs }); n != 4 {
		t.Errorf("%d connections are counted, want 4", n)
	}
	for _, f := range []func(*stats.Counters) uint64{
		func(c *stats.Counters) uint64 { return c.PassthroughIn }, func(c *stats.Counters) uint64 { return c.PassthroughOut },
	} {
		if n := g.counted(f); n < 1000 {
			t.Errorf("%d bytes are counted", n)
		}
	}
	type line struct {
		Passthrough            bool
		Host, Endpoint, Reason string
		BytesIn                int `json:"bytes_in"`
		BytesOut               int `json:"bytes_out"`
	}
	var served, refused int
	for wait := time.Now().Add(servertest.Timeout); served+refused < 5 && time.Now().Before(wait); {
		for _, w := range g.workers {
			w.Post(w.Log.Flush)
		}
		g.settle()
		served, refused = 0, 0
		b, _ := os.ReadFile(file)
		for text := range strings.Lines(string(b)) {
			var l line
			switch err := json.Unmarshal([]byte(text), &l); {
			case err != nil || !l.Passthrough:
			case l.Host == "pass.test" && l.Endpoint == secure && l.BytesIn > 200 && l.BytesOut > 200:
				served++
			case l.Host == "nopass.test" && l.Reason == "no_endpoint":
				refused++
			default:
				t.Fatalf("the access log says %s", text)
			}
		}
	}
	if served != 4 || refused != 1 {
		t.Errorf("the access log has %d connections that were passed on and %d that were not", served, refused)
	}
}

// TestPassthroughBytes: bytes behind the ClientHello go both ways, in pieces of any size and in any number.
func TestPassthroughBytes(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	g := newGateway(t, nil, Options{})
	g.servePassthrough("", servertest.BehindHello(t, hello, servertest.Echo))
	t.Run("pieces", func(t *testing.T) {
		c := g.secureWire()
		c.Send("%s", hello+"early")
		c.Exactly("early")
		for range 100 {
			c.Send("ping")
			c.Exactly("ping")
		}
		c.CloseWrite()
		c.WantClosed()
	})
	t.Run("byte by byte", func(t *testing.T) {
		c := g.secureWire()
		for _, b := range []byte(hello) {
			_, _ = c.Write([]byte{b})
			g.settle()
		}
		c.Send("ping")
		c.Exactly("ping")
	})
	t.Run("large, and a slow reader", func(t *testing.T) {
		c := g.secureWire()
		_ = c.SetReadBuffer(16 << 10)
		data := servertest.Pattern(20 << 20)
		go func() {
			c.Send("%s", hello)
			_, _ = c.Write(data)
			c.CloseWrite()
		}()
		var got []byte
		piece := make([]byte, 256<<10)
		for n := 0; ; n++ {
			m, err := c.R.Read(piece)
			got = append(got, piece[:m]...)
			if err != nil {
				break
			}
			if n%64 == 0 {
				g.settle() // so that the gateway finds the client behind
			}
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back", len(got))
		}
	})
	t.Run("a client that does not read", func(t *testing.T) {
		var wrote atomic.Int64
		stopped := make(chan struct{})
		h := newGateway(t, nil, Options{})
		h.servePassthrough("", servertest.BehindHello(t, hello, func(c *servertest.Wire) {
			wrote.Store(int64(servertest.PushUntilFull(c, 33<<20)))
			close(stopped)
			c.Rest() // it stays open
		}))
		c := h.secureWire()
		_ = c.SetReadBuffer(16 << 10)
		c.Send("%s", hello)
		<-stopped
		if n := wrote.Load(); n > 32<<20 {
			t.Errorf("%d bytes were taken for a client that read none", n)
		}
		held := 0
		servertest.Until(t, "the gateway to have more than its client takes", func() bool {
			held = 0
			for _, w := range h.workers {
				done := make(chan struct{})
				w.Post(func() {
					for d := range w.down.All() {
						held += d.Out.Len()
					}
					close(done)
				})
				<-done
			}
			return held > 0
		})
		if held > wire.ScratchSize {
			t.Errorf("the gateway holds %d bytes for it", held)
		}
	})
}

// TestPassthroughHalfClose: the end of one side is relayed, and the other direction goes on.
func TestPassthroughHalfClose(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	t.Run("client first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", servertest.BehindHello(t, hello, func(c *servertest.Wire) {
			text, reset := c.Rest()
			c.Send("you said %q, reset %v", text, reset)
		}))
		c := g.secureWire()
		c.Send("%s", hello+"bye")
		c.CloseWrite()
		if text, reset := c.Rest(); text != `you said "bye", reset false` || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
	})
	t.Run("Backend first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		heard := make(chan string, 1)
		g.servePassthrough("", servertest.BehindHello(t, hello, func(c *servertest.Wire) {
			c.Send("bye")
			c.CloseWrite()
			text, _ := c.Rest()
			heard <- text
		}))
		c := g.secureWire()
		c.Send("%s", hello)
		if text, reset := c.Rest(); text != "bye" || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
		c.Send("and you")
		c.CloseWrite()
		if text := <-heard; text != "and you" {
			t.Errorf("the Backend heard %q", text)
		}
	})
}

// TestPassthroughBreaks: a connection that breaks breaks the other, behind the bytes that came before.
func TestPassthroughBreaks(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	t.Run("Backend", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", servertest.BehindHello(t, hello, func(c *servertest.Wire) {
			c.Send("last words")
			c.Take(2)
			_ = c.SetLinger(0)
		}))
		c := g.secureWire()
		c.Send("%s", hello)
		c.Exactly("last words")
		c.Send("ok")
		if text, reset := c.Rest(); text != "" || !reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
		if n := g.failures(stats.UpstreamReset); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
	t.Run("client", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		heard := make(chan bool, 1)
		g.servePassthrough("", servertest.BehindHello(t, hello, func(c *servertest.Wire) {
			c.Send("hello")
			_, reset := c.Rest()
			heard <- reset
		}))
		c := g.secureWire()
		c.Send("%s", hello)
		c.Exactly("hello")
		_ = c.SetLinger(0)
		c.Close()
		if !<-heard {
			t.Error("the Backend saw a proper end")
		}
		if n := g.failures(stats.ClientAbort); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
}

// TestPassthroughConnect: Endpoints that cannot be connected to, alone and beside one that can.
func TestPassthroughConnect(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	alive := servertest.BehindHello(t, hello, servertest.Echo)
	silent := servertest.FullListener(t)
	for _, row := range []struct {
		name, other string
		why         stats.Reason
	}{
		{"refused", servertest.Refusing(t), stats.ConnectFailed},
		{"timeout", silent, stats.ConnectTimeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) { // the Endpoint that is alive has to be quick
				g := newGateway(t, func(c *config.Config) { c.Timeouts.Connect = config.Duration(timeout) }, Options{})
				g.servePassthrough("", row.other, alive)
				for range 6 {
					c := g.secureWire()
					c.Send("%s", hello+"ping")
					c.Exactly("ping")
				}
				if n := g.counted(func(c *stats.Counters) uint64 { return c.Retries }); n == 0 {
					t.Error("no attempt went to the Endpoint that does not answer")
				}
				g.servePassthrough("", row.other)
				c := g.secureWire()
				c.Send("%s", hello)
				c.WantClosed()
				if n := g.failures(row.why); n != 1 {
					t.Errorf("counted %d times as %v", n, row.why)
				}
			})
		})
	}
	t.Run("the client leaves meanwhile", func(t *testing.T) {
		g := newGateway(t, func(c *config.Config) { c.Timeouts.Connect = config.Duration(long) }, Options{})
		g.servePassthrough("", silent)
		c := g.secureWire()
		c.Send("%s", hello)
		g.settle()
		_ = c.SetLinger(0)
		c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Timeout) // less than connecting takes
		defer cancel()
		if err := g.Drain(ctx); err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
}

// TestPassthroughSnapshots: a change, also one that takes the Endpoint away, leaves open connections alone.
func TestPassthroughSnapshots(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	named := func(name string) string {
		return servertest.BehindHello(t, hello, func(c *servertest.Wire) {
			c.Send("%s", name)
			servertest.Echo(c)
		})
	}
	first, second := named("1"), named("2")
	g := newGateway(t, nil, Options{})
	g.servePassthrough("", first)
	old := g.secureWire()
	old.Send("%s", hello)
	old.Exactly("1")
	g.servePassthrough("", second)
	g.settle()
	old.Send("ping")
	old.Exactly("ping")
	c := g.secureWire()
	c.Send("%s", hello)
	c.Exactly("2")
	g.store.Publish(&routing.Snapshot{})
	g.OnPublish(nil)
	g.settle()
	for _, c := range []*servertest.Wire{old, c} {
		c.Send("ping")
		c.Exactly("ping")
		c.CloseWrite()
		c.WantClosed()
	}
}

// TestPassthroughIdle: silence both ways ends the connection after timeouts.tunnel, and bytes either way restart that.
func TestPassthroughIdle(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	app := servertest.BehindHello(t, hello, servertest.Echo)
	servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
		g := newGateway(t, func(c *config.Config) { c.Timeouts.Tunnel = config.Duration(timeout) }, Options{})
		g.servePassthrough("", app)
		c := g.secureWire()
		c.Send("%s", hello)
		var last time.Time
		for range 8 {
			<-time.After(timeout / 4) // a client that speaks now and then
			last = time.Now()
			c.Send("x")
			c.Exactly("x")
		}
		c.WantClosed()
		servertest.Took(t, last, timeout)
		if n := g.failures(stats.UpstreamTimeout); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
}

// TestPassthroughDrain waits for open connections, and cuts them at its deadline.
func TestPassthroughDrain(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	t.Run("waits", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", servertest.BehindHello(t, hello, servertest.Echo))
		c := g.secureWire()
		c.Send("%s", hello+"a")
		c.Exactly("a")
		drained := g.beginDrain(servertest.Timeout)
		for range 10 {
			c.Send("ping")
			c.Exactly("ping")
		}
		select {
		case err := <-drained:
			t.Fatalf("the drain did not wait: %v", err)
		default:
		}
		c.CloseWrite()
		c.WantClosed()
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
	t.Run("cuts", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", servertest.BehindHello(t, hello, servertest.Echo))
		c := g.secureWire()
		c.Send("%s", hello+"a")
		c.Exactly("a")
		drained := g.beginDrain(servertest.Short)
		if _, reset := c.Rest(); !reset {
			t.Error("it looks like a proper end")
		}
		if err := <-drained; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
	})
}

// TestPassthroughBehindProxyProtocol: the header is for the gateway, and the rest for the Backend.
func TestPassthroughBehindProxyProtocol(t *testing.T) {
	t.Parallel()
	hello := servertest.ClientHello(t, "pass.test")
	g := newProxiedGateway(t, nil)
	g.servePassthrough("", servertest.BehindHello(t, hello, servertest.Echo))
	for _, header := range []string{headerV1, headerV2} {
		c := g.secureWire()
		c.Send("%s", header+hello+"ping")
		c.Exactly("ping")
		c.CloseWrite()
		c.WantClosed()
	}
}

// TestBadHello: bytes that are no ClientHello get an alert, or an answer in plain HTTP, and the close.
func TestBadHello(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil)
	for _, row := range []struct{ name, sent, want string }{
		{"plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
		{"no ClientHello", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", "\x15\x03\x03\x00\x02\x02\x0a"},
		{"malformed", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", "\x15\x03\x03\x00\x02\x02\x32"},
		{"too large", "\x16\x03\x01\x00\x04\x01\x01\x00\x00", "\x15\x03\x03\x00\x02\x02\x2f"},
		{"the end", "\x16\x03\x01\x00", ""},
	} {
		c := g.secureWire()
		c.Send("%s", row.sent)
		c.CloseWrite()
		if text, reset := c.Rest(); reset || !strings.HasPrefix(text, row.want) || row.want == "" && text != "" {
			t.Errorf("%s: got %q, reset %v, want %q", row.name, text, reset, row.want)
		}
	}
}
