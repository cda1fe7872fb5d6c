package server

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// liveKey shows that a key takes effect on a reload. A client of each protocol asks an Endpoint of the same protocol.
type liveKey struct {
	key, from, to string // from "" = as liveBase has it
	// was and is are what see returns before the reload and after it; was "" for a timeout that no test can wait for.
	was, is string
	see     func(l *live) string
	// open names the connections, opened before the reload, that the key applies to as well: both protocols' unless it names
	// otherwise. A key of handshakes and of the first bytes concerns none.
	open liveClients
	only liveClients // the protocol that knows the key

	endpoint  func(testing.TB) string // nil: liveEndpoint
	toHTTP1   bool                    // the Endpoint speaks HTTP/1.1 to all
	proxied   bool                    // connections begin with a PROXY protocol header
	headed    bool                    // connections should begin with one, and do not
	elsewhere string                  // the test that shows it, where another package applies the key
}

// liveClients is a set of protocols.
type liveClients uint8

const (
	liveBoth liveClients = iota
	liveHTTP1
	liveHTTP2
	liveNew // none: only connections opened after the reload
)

func (p liveClients) has(streams bool) bool {
	return p == liveBoth || streams && p == liveHTTP2 || !streams && p == liveHTTP1
}

// liveBase has no timeout that a test could meet.
func liveBase() *config.Config {
	c := config.Default()
	c.Threads = 1
	c.Limits.ConnectionsPerSource = 1000 // and not half of limits.connections
	t := &c.Timeouts
	for _, d := range []*config.Duration{&t.Header, &t.Body, &t.Idle, &t.Connect, &t.Read, &t.Send, &t.HalfClosed, &t.Tunnel, &c.TLS.HandshakeTimeout} {
		*d = config.Duration(long)
	}
	return c
}

var liveKeys = []liveKey{
	{key: "error_log", elsewhere: "package main opens it: TestServe"},

	{key: "limits.header_bytes", to: "2k", was: "200", is: "431", see: func(l *live) string { return l.get("/", "x-long", strings.Repeat("y", 4000)) }},
	{key: "limits.header_count", to: "10", was: "200", is: "431", see: func(l *live) string { return l.get("/", strings.Fields(strings.Repeat("x-field 1 ", 20))...) }},
	{key: "limits.response_header_count", to: "10", was: "200", is: "502", see: func(l *live) string { return l.get("/fields") }},
	{key: "limits.body_bytes", to: "10", was: "200", is: "413", see: func(l *live) string {
		c := l.conn()
		c.ask("POST", "/", make([]byte, 100), "content-length", "100")
		return c.answer().status
	}},
	{key: "limits.connections", to: "2", was: "held held held", is: "held held closed", open: liveNew, see: (*live).holdThree},
	{key: "limits.connections_per_source", to: "2", was: "held held held", is: "held held closed", open: liveNew, see: (*live).holdThree},
	{key: "limits.requests_per_source", to: "2", was: "held held held", is: "held held 429", see: (*live).holdThree},
	{key: "limits.buffered_bytes", to: "1m", was: "kept", is: "cut", see: func(l *live) string {
		for range 80 {
			c := l.conn()
			_ = c.SetReadBuffer(slowReceive)
			c.ask("GET", "/endless", nil) // of which nothing is read
		}
		end := ""
		servertest.Until(l.t, "something to wait", func() bool {
			much := l.g.peers.Buffered() > 3<<19
			l.g.settle() // connections that are shed for that are gone
			switch {
			case l.g.shedOf(stats.ShedBuffered) > 0:
				end = "cut"
			case much:
				end = "kept"
			}
			return end != ""
		})
		return end
	}},

	{key: "timeouts.header", to: "100ms", is: "408", only: liveHTTP1, see: func(l *live) string {
		c := l.conn()
		c.Send("GET / HTTP/1.1\r\nHo")
		return c.answer().status
	}},
	{key: "timeouts.header", to: "100ms", is: "closed", only: liveHTTP2, open: liveNew, see: func(l *live) string { return l.conn().end() }},
	{key: "timeouts.body", to: "100ms", is: "408", see: func(l *live) string {
		c := l.conn()
		c.ask("POST", "/", []byte("a part"), "content-length", "100")
		return c.answer().status
	}},
	{key: "timeouts.idle", to: "100ms", is: "closed", see: func(l *live) string {
		c := l.conn()
		c.ask("GET", "/none", nil)
		c.answer()
		return c.end()
	}},
	{key: "timeouts.connect", to: "100ms", is: "502", endpoint: servertest.FullListener, see: func(l *live) string { return l.get("/") }},
	{key: "timeouts.read", to: "100ms", is: "504", see: func(l *live) string { return l.get("/hold") }},
	{key: "timeouts.send", to: "100ms", is: "cut", see: func(l *live) string {
		l.conn().ask("GET", "/endless", nil)
		servertest.Until(l.t, "the client to be given up", func() bool {
			return l.g.counted(func(c *stats.Counters) uint64 { return c.Failures[stats.SendTimeout] }) > 0
		})
		return "cut"
	}},
	{key: "timeouts.request", to: "100ms", is: "504", see: func(l *live) string { return l.get("/hold") }},
	{key: "timeouts.tunnel", to: "100ms", is: "closed", toHTTP1: true, endpoint: func(t testing.TB) string { return servertest.UpgradedBackend(t, servertest.Echo) }, see: func(l *live) string {
		c := l.conn()
		c.tunnel()
		return c.end()
	}},
	{key: "timeouts.half_closed", to: "100ms", is: "closed", only: liveHTTP1, see: func(l *live) string {
		c := l.conn()
		c.ask("GET", "/hold", nil)
		_ = c.CloseWrite()
		return c.end()
	}},

	{key: "http.splice_threshold", from: "0", to: "64k", was: "copied", is: "spliced", only: liveHTTP1, see: func(l *live) string {
		l.get("/sized")
		if l.g.counted(func(c *stats.Counters) uint64 { return c.SplicedBytes }) > 0 {
			return "spliced"
		}
		return "copied"
	}},
	{key: "http.header_names", to: "underscore", was: "none", is: "mine", see: func(l *live) string { return l.seen("x-saw-odd", "x_odd", "mine") }},
	{key: "http.server_header", to: "edge", was: "sluice", is: "edge", see: func(l *live) string { return l.seen("server") }},
	{key: "forwarded.trusted_cidrs", from: "", to: "127.0.0.0/8", was: "127.0.0.1", is: "192.0.2.7, 127.0.0.1", see: func(l *live) string { return l.seen("x-saw-for", "x-forwarded-for", "192.0.2.7") }},
	{key: "forwarded.trusted_cidrs", from: "127.0.0.0/8", to: "10.0.0.0/8", was: "192.0.2.7, 127.0.0.1", is: "127.0.0.1", see: func(l *live) string { return l.seen("x-saw-for", "x-forwarded-for", "192.0.2.7") }},

	{key: "upstream.retries", from: "0", to: "1", was: "502", is: "200", see: func(l *live) string { return l.get("/second/" + strconv.Itoa(l.serial())) }},

	{key: "shutdown.drain_seconds", elsewhere: "package main bounds the drain: TestReloadedDrain"},

	{key: "proxy_protocol.trusted_cidrs", from: "127.0.0.0/8", to: "10.0.0.0/8", was: "200", is: "closed", open: liveNew, proxied: true, see: func(l *live) string { return l.get("/") }},

	{key: "proxy_protocol.timeout", to: "100ms", is: "closed", only: liveHTTP1, open: liveNew, headed: true, see: func(l *live) string { return l.conn().end() }},

	{key: "tls.protocols", to: "TLSv1.3", was: "shaken", is: "refused", open: liveNew, see: func(l *live) string { return l.shake("", &tls.Config{MaxVersion: tls.VersionTLS12}) }},
	{key: "tls.ciphers", to: "ECDHE-ECDSA-AES256-GCM-SHA384", was: "shaken", is: "refused", open: liveNew, see: func(l *live) string {
		return l.shake("", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
	}},
	{key: "tls.sni_strict", to: "true", was: "shaken", is: "refused", open: liveNew, see: func(l *live) string { return l.shake("unknown.test", &tls.Config{}) }},
	{key: "tls.handshake_timeout", to: "100ms", is: "closed", open: liveNew, see: func(l *live) string {
		text, _ := l.g.secureWire().Rest()
		return "closed" + text
	}},
	{key: "tls.max_handshakes", to: "1", was: "both go on", is: "one gave way", open: liveNew, see: (*live).shakeTwo},
	{key: "tls.handshakes_per_source", to: "1", was: "both go on", is: "one gave way", open: liveNew, see: (*live).shakeTwo},
	{key: "tls.session_tickets", to: "false", was: "resumed", is: "full handshake", open: liveNew, see: (*live).resume},
	{key: "tls.ticket_rotation", to: "1ms", was: "resumed", is: "full handshake", open: liveNew, see: (*live).resume},

	{key: "http2.stalled_streams", to: "1", is: "given up", only: liveHTTP2, toHTTP1: true, see: func(l *live) string {
		c := l.conn()
		for range 2 {
			c.ask("GET", "/endless", nil)
		}
		for {
			f, err := c.h2.ReadFrame()
			if err != nil {
				return err.Error()
			}
			if f, ok := f.(*http2.RSTStreamFrame); ok && f.ErrCode == http2.ErrCodeEnhanceYourCalm {
				return "given up"
			}
		}
	}},
}

// TestLiveKeys: each key that is live in the reference takes effect on a reload: for connections that are opened after it
// and, unless it is about how connections begin, for the requests of those that were open before.
func TestLiveKeys(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, row := range liveKeys {
		shown[row.key] = true
	}
	for _, key := range config.LiveKeys() {
		if !shown[key] {
			t.Errorf("%s is live, and no row shows that it is", key)
		}
		delete(shown, key)
	}
	for key := range shown {
		t.Errorf("%s has a row and is not live", key)
	}
	for _, row := range liveKeys {
		if row.elsewhere != "" {
			continue
		}
		for _, streams := range []bool{false, true} {
			if !row.only.has(streams) {
				continue
			}
			protocol := "HTTP1"
			if streams {
				protocol = "HTTP2"
			}
			t.Run(row.key+"/"+protocol+"/new", func(t *testing.T) { t.Parallel(); row.play(t, streams, false) })
			if row.open.has(streams) {
				t.Run(row.key+"/"+protocol+"/open", func(t *testing.T) { t.Parallel(); row.play(t, streams, true) })
			}
		}
	}
}

// play shows one key to clients of one protocol, on new connections or on those that were open.
func (k *liveKey) play(t *testing.T, streams, open bool) {
	c := liveBase()
	set := func(value string) {
		if err := c.Set(k.key + "=" + value); err != nil {
			t.Fatal(err)
		}
	}
	if k.from != "" {
		set(k.from)
	}
	if k.proxied || k.headed {
		c.ProxyProtocol.Listeners = []string{"127.0.0.1:0"}
		if k.headed {
			c.ProxyProtocol.TrustedCIDRs = []string{"127.0.0.0/8"}
		}
	}
	g := newGateway(t, func(o *config.Config) { *o = *c.Clone() }, Options{})
	endpoint, protocol := k.endpoint, routing.HTTP
	if endpoint == nil {
		endpoint = liveEndpoint
	}
	if streams && !k.toHTTP1 {
		protocol = routing.H2C
	}
	g.publish(&routing.Backend{Protocol: protocol}, endpoint(t), nil, map[string][]*tls.Certificate{"a.test": {servertest.NewAuthority(t, "ca").Server("a.test")}}, site{name: ""})
	l := &live{t: t, g: g, streams: streams, proxied: k.proxied, cache: tls.NewLRUClientSessionCache(1)}
	if k.was != "" {
		if got := k.see(l); got != k.was {
			t.Fatalf("before the reload: %q, want %q", got, k.was)
		}
		l.leave()
	}
	if open {
		for range 3 {
			c := l.dial()
			if k.endpoint == nil {
				c.ask("GET", "/none", nil)
				if got := c.answer().status; got != "204" {
					t.Fatalf("before the reload: %s", got)
				}
			}
			l.ready = append(l.ready, c)
		}
	}
	set(k.to)
	g.Reload(c)
	g.settle()
	if got := k.see(l); got != k.is {
		t.Errorf("after the reload: %q, want %q", got, k.is)
	}
	l.leave()
}

// live is what a row has to look with.
type live struct {
	t       *testing.T
	g       *gateway
	streams bool
	proxied bool
	ready   []*liveConn // connections that were open before the reload
	all     []*liveConn
	n       int
	cache   tls.ClientSessionCache
}

func (l *live) serial() int { l.n++; return l.n }

// conn returns a client's connection: one of those that were open before the reload, while there are some.
func (l *live) conn() *liveConn {
	if len(l.ready) > 0 {
		c := l.ready[0]
		l.ready = l.ready[1:]
		return c
	}
	return l.dial()
}

func (l *live) dial() *liveConn {
	w := l.g.wire()
	c := &liveConn{l: l, Wire: w}
	if l.proxied {
		w.Send(headerV1)
	}
	if l.streams {
		// No window is opened: of the answers, heads are all that is looked at.
		c.h2 = servertest.NewRawHTTP2(w.TCPConn, w.R)
		c.h2.Dec = hpack.NewDecoder(4096, nil)
		c.h2.Open(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	}
	l.all = append(l.all, c)
	return c
}

// leave closes every connection, and waits until the gateway has seen that.
func (l *live) leave() {
	for _, c := range l.all {
		_ = c.SetLinger(0)
		c.Close()
	}
	l.all = nil
	servertest.Until(l.t, "the clients to be gone", func() bool { _, open := l.g.connections(); return open == 0 })
}

// get asks for path and returns the status.
func (l *live) get(path string, fields ...string) string {
	c := l.conn()
	c.ask("GET", path, nil, fields...)
	return c.answer().status
}

// seen returns a field of the answer.
func (l *live) seen(name string, fields ...string) string {
	c := l.conn()
	c.ask("GET", "/", nil, fields...)
	if a := c.answer(); a.fields.Get(name) != "" {
		return a.fields.Get(name)
	}
	return "none"
}

// holdThree has three connections send a request that the Endpoint does not answer, and returns the outcome of each.
func (l *live) holdThree() string {
	var all []string
	for range 3 {
		c := l.conn()
		c.ask("GET", "/headed", nil)
		if got := c.answer().status; got != "200" {
			all = append(all, got)
			continue
		}
		all = append(all, "held")
	}
	return strings.Join(all, " ")
}

// shake reports whether a TLS handshake succeeds.
func (l *live) shake(name string, c *tls.Config) string {
	if name == "" {
		name = "a.test"
	}
	c.NextProtos = []string{"http/1.1"}
	if l.streams {
		c.NextProtos = []string{"h2"}
	}
	conn, err := l.g.dialTLS(name, c)
	if err != nil {
		return "refused"
	}
	conn.Close()
	return "shaken"
}

// shakeTwo begins two handshakes, and reports whether both may go on.
func (l *live) shakeTwo() string {
	hello := servertest.ClientHello(l.t, "a.test")
	first, second := l.g.secureWire(), l.g.secureWire()
	defer first.Close()
	defer second.Close()
	open := func() int64 { _, n := l.g.connections(); return n }
	servertest.Until(l.t, "the connections", func() bool { return open() == 2 })
	first.Send("%s", hello)
	servertest.Until(l.t, "the first to wait for its client", func() bool { return l.g.handshakes.Counts().Waiting == 1 })
	second.Send("%s", hello)
	end := ""
	servertest.Until(l.t, "the second", func() bool {
		switch {
		case l.g.handshakes.Counts().Waiting == 2:
			end = "both go on"
		case open() == 1:
			end = "one gave way"
		}
		return end != ""
	})
	return end
}

// resume reports whether a session is resumed.
func (l *live) resume() string {
	how := ""
	for range 2 {
		conn := l.g.mustTLS("a.test", &tls.Config{ClientSessionCache: l.cache})
		conn.get("a.test", "/") // a ticket comes behind the handshake
		how = "full handshake"
		if conn.ConnectionState().DidResume {
			how = "resumed"
		}
		conn.Close()
		<-time.After(4 * time.Millisecond) // the time of three keys, where one is good for a millisecond
	}
	return how
}

// liveConn is a client's connection of one of the two protocols.
type liveConn struct {
	*servertest.Wire
	l      *live
	h2     *servertest.RawHTTP2 // nil: it speaks HTTP/1.1
	stream uint32
	method string
}

// liveAnswer is the head of an answer; its status is "closed" where none came.
type liveAnswer struct {
	status string
	fields http.Header
}

// ask sends a request; one with a body ends it where it is as long as content-length says.
func (c *liveConn) ask(method, path string, body []byte, fields ...string) {
	c.method = method
	if c.h2 == nil {
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: a.test\r\n", method, path)
		for i := 0; i < len(fields); i += 2 {
			fmt.Fprintf(c, "%s: %s\r\n", fields[i], fields[i+1])
		}
		fmt.Fprintf(c, "\r\n%s", body)
		return
	}
	c.stream = max(c.stream+2, 3)
	c.h2.Request(c.stream, method, path, body == nil, fields...)
	if body != nil {
		_ = c.h2.WriteData(c.stream, len(body) == 100, body)
	}
}

// answer reads the head of the answer, and the body where it comes of itself.
func (c *liveConn) answer() liveAnswer {
	if c.h2 == nil {
		resp, err := http.ReadResponse(c.Wire.R, &http.Request{Method: c.method})
		if err != nil {
			return liveAnswer{status: "closed"}
		}
		if resp.ContentLength > 0 {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		return liveAnswer{strconv.Itoa(resp.StatusCode), resp.Header}
	}
	for {
		f, err := c.h2.ReadFrame()
		if err != nil {
			return liveAnswer{status: "closed"}
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			a := c.decode(f)
			if f.StreamID == c.stream && a.status != "" {
				return a
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == c.stream {
				return liveAnswer{status: "reset"}
			}
		}
	}
}

func (c *liveConn) decode(f *http2.HeadersFrame) liveAnswer {
	a := liveAnswer{fields: http.Header{}}
	fields, err := c.h2.Dec.DecodeFull(f.HeaderBlockFragment())
	if err != nil {
		c.l.t.Fatal(err)
	}
	for _, f := range fields {
		if f.Name == ":status" {
			a.status = f.Value
		} else {
			a.fields.Add(f.Name, f.Value)
		}
	}
	return a
}

// tunnel opens a WebSocket.
func (c *liveConn) tunnel() {
	if c.h2 == nil {
		c.Wire.Send(servertest.UpgradeRequest)
		c.Wire.Want101()
		return
	}
	c.stream = max(c.stream+2, 3)
	c.h2.Request(c.stream, "CONNECT", "/", false, ":protocol", "websocket", "sec-websocket-version", "13")
	if got := c.answer().status; got != "200" {
		c.l.t.Fatalf("a tunnel: %s", got)
	}
}

// end waits until the gateway ends the connection, or the stream that was asked last.
func (c *liveConn) end() string {
	if c.h2 == nil {
		if _, err := io.Copy(io.Discard, c.Wire.R); err != nil && strings.Contains(err.Error(), "timeout") {
			return "open"
		}
		return "closed"
	}
	for {
		f, err := c.h2.ReadFrame()
		switch {
		case err != nil && strings.Contains(err.Error(), "timeout"):
			return "open"
		case err != nil:
			return "closed"
		case f.Header().StreamID == c.stream && c.stream > 0 && (f.Header().Type == http2.FrameRSTStream || f.Header().Flags.Has(http2.FlagDataEndStream) && f.Header().Type == http2.FrameData):
			return "closed"
		}
	}
}

// liveEndpoint answers in all the ways that the rows ask for, over HTTP/1.1 and HTTP/2.
func liveEndpoint(t testing.TB) string {
	var mu sync.Mutex
	asked := map[string]bool{}
	return servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw-For", r.Header.Get("X-Forwarded-For"))
		w.Header().Set("X-Saw-Odd", r.Header.Get("X_Odd"))
		switch path := r.URL.Path; {
		case path == "/none":
			w.WriteHeader(204)
		case path == "/fields":
			for i := range 20 {
				w.Header().Set(fmt.Sprint("X-", i), "1")
			}
		case path == "/hold":
			<-r.Context().Done()
		case path == "/headed":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case path == "/sized":
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(make([]byte, 1000000))
		case path == "/endless":
			for piece := make([]byte, 32<<10); r.Context().Err() == nil; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case strings.HasPrefix(path, "/second/"):
			mu.Lock()
			again := asked[path]
			asked[path] = true
			mu.Unlock()
			if !again {
				panic(http.ErrAbortHandler)
			}
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.Copy(w, bytes.NewReader([]byte("ok")))
		}
	}))
}
