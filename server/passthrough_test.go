package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// servePassthrough publishes a Host pass.test whose TLS goes to the given Endpoints, nopass.test whose Backend
// is not known, and a catch-all that goes to plain, which may be "".
func (g *gateway) servePassthrough(plain string, endpoints ...string) {
	g.t.Helper()
	source := &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}}
	app := &routing.Backend{Key: routing.BackendKey{Namespace: "default", Service: "app", Port: "80"}}
	if plain != "" {
		app.Endpoints = []routing.Endpoint{{Addr: netip.MustParseAddrPort(plain)}}
	}
	pass := &routing.Backend{Index: 1, Key: routing.BackendKey{Namespace: "default", Service: "pass", Port: "443"}}
	for _, e := range endpoints {
		pass.Endpoints = append(pass.Endpoints, routing.Endpoint{Addr: netip.MustParseAddrPort(e)})
	}
	builder := routing.Builder{Attach: g.Attach}
	hosts := map[string]*routing.Host{}
	for name, backend := range map[string]int32{"": 0, "pass.test": 1, "nopass.test": -1} {
		h, _ := builder.BuildHost(name, []routing.Route{{Path: "/", Type: routing.Prefix, Backend: max(backend, 0), Source: source}})
		if name != "" {
			h = h.WithTLS(&routing.HostTLS{Passthrough: true, Backend: backend})
		}
		hosts[name] = h
	}
	var table *routing.Table
	s := &routing.Snapshot{Table: table.With(hosts, nil), Backends: []*routing.Backend{app, pass}}
	g.store.Publish(s)
	g.OnPublish(s)
}

// secureWire opens a raw connection to the port with TLS.
func (g *gateway) secureWire() *wire {
	g.t.Helper()
	c, err := net.Dial("tcp", g.secureAddr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	return newWire(g.t, c)
}

// failures returns how many connections to be passed on failed for a reason.
func (g *gateway) failures(why stats.Reason) uint64 {
	return g.counted(func(c *stats.Counters) uint64 { return c.PassthroughFailures[why] })
}

// helloFor returns the ClientHello of a client that asks for name.
func helloFor(t testing.TB, name string) string {
	near, far := net.Pipe()
	go func() { _ = tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	near.Close()
	return string(b[:n])
}

// behindHello is a Backend that expects a ClientHello, and gives what follows to f.
func behindHello(t testing.TB, hello string, f func(c *wire)) string {
	return rawBackend(t, func(_ int, c *wire) {
		if got := c.take(len(hello)); got != hello {
			if got != "" {
				t.Errorf("the Backend saw %q instead of the ClientHello", got)
			}
			return
		}
		f(c)
	})
}

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

// TestPassthrough: the Host's clients see its Backend's own certificate and protocols, and the Backend their
// bytes; all others end at the gateway, on the same port.
func TestPassthrough(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	g := newGateway(t, func(c *config.Config) { c.AccessLog.Path = file }, Options{})
	report := func(who string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s %q", who, r.Proto, r.Header.Get("X-Forwarded-For"))
		}
	}
	secure := startBackend(t, true, report("Backend"))
	g.servePassthrough(backend(t, report("app")), secure)

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
		{"pass.test", `Backend HTTP/1.1 ""`, http1Client},
		{"pass.test", `Backend HTTP/2.0 ""`, http2Client},
		{"other.test", `app HTTP/1.1 "127.0.0.1"`, http1Client},
		{"other.test", `app HTTP/1.1 "127.0.0.1"`, http2Client},
	} {
		c := row.client(t)
		tr := c.Transport.(*http.Transport)
		tr.TLSClientConfig.ServerName = row.name
		for range 3 {
			if got := get(t, c, "https://"+g.secureAddr+"/"); got != row.want {
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
	for wait := time.Now().Add(wireTimeout); served+refused < 5 && time.Now().Before(wait); {
		for _, w := range g.workers {
			w.Post(w.flushLog)
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

// TestPassthroughBytes: what is behind the ClientHello goes both ways, however it is cut and however large it is.
func TestPassthroughBytes(t *testing.T) {
	hello := helloFor(t, "pass.test")
	g := newGateway(t, nil, Options{})
	g.servePassthrough("", behindHello(t, hello, echo))
	t.Run("pieces", func(t *testing.T) {
		c := g.secureWire()
		c.send("%s", hello+"early")
		c.exactly("early")
		for range 100 {
			c.send("ping")
			c.exactly("ping")
		}
		c.CloseWrite()
		c.wantClosed()
	})
	t.Run("byte by byte", func(t *testing.T) {
		c := g.secureWire()
		for _, b := range []byte(hello) {
			_, _ = c.Write([]byte{b})
			g.settle()
		}
		c.send("ping")
		c.exactly("ping")
	})
	t.Run("large, and a slow reader", func(t *testing.T) {
		c := g.secureWire()
		_ = c.SetReadBuffer(16 << 10)
		data := pattern(20 << 20)
		go func() {
			c.send("%s", hello)
			_, _ = c.Write(data)
			c.CloseWrite()
		}()
		var got []byte
		piece := make([]byte, 256<<10)
		for n := 0; ; n++ {
			m, err := c.r.Read(piece)
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
		h.servePassthrough("", behindHello(t, hello, func(c *wire) {
			wrote.Store(int64(pushUntilFull(c, 33<<20)))
			close(stopped)
			c.rest() // it stays open
		}))
		c := h.secureWire()
		_ = c.SetReadBuffer(16 << 10)
		c.send("%s", hello)
		<-stopped
		if n := wrote.Load(); n > 32<<20 {
			t.Errorf("%d bytes were taken for a client that read none", n)
		}
		held := 0
		until(t, "the gateway to have more than its client takes", func() bool {
			held = 0
			for _, w := range h.workers {
				done := make(chan struct{})
				w.Post(func() {
					for d := w.downs.next; d != &w.downs; d = d.next {
						held += d.out.len()
					}
					close(done)
				})
				<-done
			}
			return held > 0
		})
		if held > scratchSize {
			t.Errorf("the gateway holds %d bytes for it", held)
		}
	})
}

// TestPassthroughHalfClose: the end of one side is passed on, and the other direction goes on.
func TestPassthroughHalfClose(t *testing.T) {
	hello := helloFor(t, "pass.test")
	t.Run("client first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", behindHello(t, hello, func(c *wire) {
			text, reset := c.rest()
			c.send("you said %q, reset %v", text, reset)
		}))
		c := g.secureWire()
		c.send("%s", hello+"bye")
		c.CloseWrite()
		if text, reset := c.rest(); text != `you said "bye", reset false` || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
	})
	t.Run("Backend first", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		heard := make(chan string, 1)
		g.servePassthrough("", behindHello(t, hello, func(c *wire) {
			c.send("bye")
			c.CloseWrite()
			text, _ := c.rest()
			heard <- text
		}))
		c := g.secureWire()
		c.send("%s", hello)
		if text, reset := c.rest(); text != "bye" || reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
		c.send("and you")
		c.CloseWrite()
		if text := <-heard; text != "and you" {
			t.Errorf("the Backend heard %q", text)
		}
	})
}

// TestPassthroughBreaks: a connection that breaks breaks the other, after what came of it before.
func TestPassthroughBreaks(t *testing.T) {
	hello := helloFor(t, "pass.test")
	t.Run("Backend", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", behindHello(t, hello, func(c *wire) {
			c.send("last words")
			c.take(2)
			_ = c.SetLinger(0)
		}))
		c := g.secureWire()
		c.send("%s", hello)
		c.exactly("last words")
		c.send("ok")
		if text, reset := c.rest(); text != "" || !reset {
			t.Errorf("got %q, reset %v", text, reset)
		}
		if n := g.failures(stats.UpstreamReset); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
	t.Run("client", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		heard := make(chan bool, 1)
		g.servePassthrough("", behindHello(t, hello, func(c *wire) {
			c.send("hello")
			_, reset := c.rest()
			heard <- reset
		}))
		c := g.secureWire()
		c.send("%s", hello)
		c.exactly("hello")
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
	hello := helloFor(t, "pass.test")
	alive := behindHello(t, hello, echo)
	silent := fullListener(t)
	for _, row := range []struct {
		name, other string
		why         stats.Reason
	}{
		{"refused", refusing(t), stats.ConnectFailed},
		{"timeout", silent, stats.ConnectTimeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			play(t, func(t *scene, timeout time.Duration) { // the Endpoint that is alive has to be quick
				g := newGateway(t, func(c *config.Config) { c.Timeouts.Connect = config.Duration(timeout) }, Options{})
				g.servePassthrough("", row.other, alive)
				for range 6 {
					c := g.secureWire()
					c.send("%s", hello+"ping")
					c.exactly("ping")
				}
				if n := g.counted(func(c *stats.Counters) uint64 { return c.Retries }); n == 0 {
					t.Error("no attempt went to the Endpoint that does not answer")
				}
				g.servePassthrough("", row.other)
				c := g.secureWire()
				c.send("%s", hello)
				c.wantClosed()
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
		c.send("%s", hello)
		g.settle()
		_ = c.SetLinger(0)
		c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), wireTimeout) // less than connecting takes
		defer cancel()
		if err := g.Drain(ctx); err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
}

// TestPassthroughSnapshots: a change, also one that takes the Endpoint away, leaves open connections alone.
func TestPassthroughSnapshots(t *testing.T) {
	hello := helloFor(t, "pass.test")
	named := func(name string) string {
		return behindHello(t, hello, func(c *wire) {
			c.send("%s", name)
			echo(c)
		})
	}
	first, second := named("1"), named("2")
	g := newGateway(t, nil, Options{})
	g.servePassthrough("", first)
	old := g.secureWire()
	old.send("%s", hello)
	old.exactly("1")
	g.servePassthrough("", second)
	g.settle()
	old.send("ping")
	old.exactly("ping")
	c := g.secureWire()
	c.send("%s", hello)
	c.exactly("2")
	g.store.Publish(&routing.Snapshot{})
	g.OnPublish(nil)
	g.settle()
	for _, c := range []*wire{old, c} {
		c.send("ping")
		c.exactly("ping")
		c.CloseWrite()
		c.wantClosed()
	}
}

// TestPassthroughIdle: silence both ways ends it after timeouts.tunnel, and bytes either way put that off.
func TestPassthroughIdle(t *testing.T) {
	hello := helloFor(t, "pass.test")
	app := behindHello(t, hello, echo)
	play(t, func(t *scene, timeout time.Duration) {
		g := newGateway(t, func(c *config.Config) { c.Timeouts.Tunnel = config.Duration(timeout) }, Options{})
		g.servePassthrough("", app)
		c := g.secureWire()
		c.send("%s", hello)
		var last time.Time
		for range 8 {
			<-time.After(timeout / 4) // a client that speaks now and then
			last = time.Now()
			c.send("x")
			c.exactly("x")
		}
		c.wantClosed()
		took(t, last, timeout)
		if n := g.failures(stats.UpstreamTimeout); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
}

// TestPassthroughDrain waits for open connections, and cuts them at its deadline.
func TestPassthroughDrain(t *testing.T) {
	hello := helloFor(t, "pass.test")
	t.Run("waits", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", behindHello(t, hello, echo))
		c := g.secureWire()
		c.send("%s", hello+"a")
		c.exactly("a")
		drained := g.beginDrain(wireTimeout)
		for range 10 {
			c.send("ping")
			c.exactly("ping")
		}
		select {
		case err := <-drained:
			t.Fatalf("the drain did not wait: %v", err)
		default:
		}
		c.CloseWrite()
		c.wantClosed()
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
	t.Run("cuts", func(t *testing.T) {
		g := newGateway(t, nil, Options{})
		g.servePassthrough("", behindHello(t, hello, echo))
		c := g.secureWire()
		c.send("%s", hello+"a")
		c.exactly("a")
		drained := g.beginDrain(short)
		if _, reset := c.rest(); !reset {
			t.Error("it looks like a proper end")
		}
		if err := <-drained; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
	})
}

// TestPassthroughBehindProxyProtocol: the header is for the gateway, and the rest for the Backend.
func TestPassthroughBehindProxyProtocol(t *testing.T) {
	hello := helloFor(t, "pass.test")
	g := newProxiedGateway(t, nil)
	g.servePassthrough("", behindHello(t, hello, echo))
	for _, header := range []string{headerV1, headerV2} {
		c := g.secureWire()
		c.send("%s", header+hello+"ping")
		c.exactly("ping")
		c.CloseWrite()
		c.wantClosed()
	}
}

// TestBadHello: what is no ClientHello gets an alert, or an answer in plain HTTP, and the end.
func TestBadHello(t *testing.T) {
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
		c.send("%s", row.sent)
		c.CloseWrite()
		if text, reset := c.rest(); reset || !strings.HasPrefix(text, row.want) || row.want == "" && text != "" {
			t.Errorf("%s: got %q, reset %v, want %q", row.name, text, reset, row.want)
		}
	}
}
