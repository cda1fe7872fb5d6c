package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// TestMain has more tests wait at a time than there are processors: what most of them wait for is a timer.
//
// A test with t.Parallel has gateways and peers of its own. One that measures the process (descriptors, goroutines,
// allocations, processor time) has not, and runs before the others begin.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", atOnce)
	}
	// Enough for each loop to have one: a loop that shares one with the loop of a flooded gateway waits for its turn.
	if err := loop.Pollers(64); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// gateway is a Server on a free port whose Snapshot the test publishes.
type gateway struct {
	*Server
	t     testing.TB
	store *routing.Store
	addr  string

	secureAddr string
}

// starting is held while a gateway is made and its loops start, for what Hertz and netpoll share is not for two at a time.
var starting sync.Mutex

// newGateway serves until the test ends. change may be nil.
func newGateway(t testing.TB, change func(*config.Config), o Options) *gateway {
	t.Helper()
	return newLoggingGateway(t, slog.New(slog.DiscardHandler), change, o)
}

// newLoggingGateway is newGateway that reports to log.
func newLoggingGateway(t testing.TB, log *slog.Logger, change func(*config.Config), o Options) *gateway {
	t.Helper()
	starting.Lock()
	defer starting.Unlock()
	c := config.Default()
	c.Threads = 2
	// A test that sends byte by byte takes its time.
	for _, d := range []*config.Duration{&c.Timeouts.Header, &c.TLS.HandshakeTimeout, &c.ProxyProtocol.Timeout} {
		*d = config.Duration(servertest.Timeout)
	}
	if change != nil {
		change(c)
	}
	g := &gateway{t: t, store: &routing.Store{}}
	s, err := New(c, g.store, log, o)
	if err != nil {
		t.Fatal(err)
	}
	g.Server = s
	if err := s.Listen([]string{"127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	if err := s.ListenTLS([]string{"127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	g.addr = "127.0.0.1:" + strconv.Itoa(s.Ports()[0])
	g.secureAddr = "127.0.0.1:" + strconv.Itoa(s.Ports()[1])
	ended := make(chan error, 1)
	go func() { ended <- s.Run() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Drain(ctx)
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	g.settle()
	return g
}

func secureGateway(t testing.TB, change func(*config.Config)) *gateway {
	g := newGateway(t, change, Options{})
	g.publish(&routing.Backend{}, servertest.EchoBackend(t), servertest.NewAuthority(t, "ca").Server("a.test"), nil, site{name: ""})
	return g
}

// newProxiedGateway expects a PROXY protocol header on both of its listeners, and its Backend answers with the fields about
// the client that it got. change may be nil.
func newProxiedGateway(t testing.TB, change func(*config.Config)) *gateway {
	t.Helper()
	g := newGateway(t, func(c *config.Config) {
		c.ProxyProtocol.Listeners = []string{"127.0.0.1:0"}
		c.ProxyProtocol.TrustedCIDRs = []string{"127.0.0.0/8"}
		if change != nil {
			change(c)
		}
	}, Options{})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		fmt.Fprintf(w, "for %s real %s proto %s port %s", h.Get("X-Forwarded-For"), h.Get("X-Real-IP"), h.Get("X-Forwarded-Proto"), h.Get("X-Forwarded-Port"))
	}))
	return g
}

func timeouts(change func(*config.Timeouts)) func(*config.Config) {
	return func(c *config.Config) {
		for _, d := range []*config.Duration{&c.Timeouts.Header, &c.Timeouts.Body, &c.Timeouts.Idle, &c.Timeouts.Connect, &c.Timeouts.Read, &c.Timeouts.Send} {
			*d = config.Duration(long)
		}
		c.Limits.BodyBytes = 0
		change(&c.Timeouts)
	}
}

// long is the timeout of the others.
const long = time.Hour

// oneLoop has all clients share the pools.
func oneLoop(c *config.Config) { c.Threads = 1 }

// wantNoLeaks checks at the end of the test, after everything that is registered later, that as many
// descriptors and goroutines are left as there were.
func wantNoLeaks(t *testing.T) {
	// What is made once for all tests.
	newGateway(t, nil, Options{})
	files, goroutines := servertest.OpenFiles(t), -1
	t.Cleanup(func() {
		var nowFiles, nowGoroutines int
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for begun := time.Now(); time.Since(begun) < servertest.Timeout/2; {
			nowFiles, nowGoroutines = servertest.OpenFiles(t), runtime.NumGoroutine()
			if nowFiles <= files && nowGoroutines <= goroutines {
				return
			}
			<-tick.C
		}
		stacks := make([]byte, 1<<20)
		sockets, _ := exec.Command("ss", "-tnp").Output()
		t.Errorf("%d descriptors and %d goroutines left, before there were %d and %d\n%s\n%s",
			nowFiles, nowGoroutines, files, goroutines, sockets, stacks[:runtime.Stack(stacks, true)])
	})
	goroutines = runtime.NumGoroutine()
}

// serve publishes one Route, "/" of the catch-all Host, to the given Endpoints.
func (g *gateway) serve(policy *asked.Policy, endpoints ...string) {
	g.t.Helper()
	g.serveBackend(policy, &routing.Backend{}, endpoints...)
}

// serveProtocol is serve for Endpoints that speak another protocol, and bodies of any size.
func (g *gateway) serveProtocol(p routing.Protocol, endpoints ...string) {
	g.t.Helper()
	b := &routing.Backend{Protocol: p}
	if p == routing.HTTPS || p == routing.GRPCS {
		b.TLS = &routing.BackendTLS{Name: "app"}
	}
	g.serveBackend(&asked.Policy{Limits: asked.Limits{BodyBytes: -1}}, b, endpoints...)
}

func (g *gateway) serveBackend(policy *asked.Policy, b *routing.Backend, endpoints ...string) {
	g.t.Helper()
	b.Key = routing.BackendKey{Namespace: "default", Service: "app", Port: "80", Variant: b.Protocol.String()}
	for _, e := range endpoints {
		b.Endpoints = append(b.Endpoints, routing.Endpoint{Addr: netip.MustParseAddrPort(e)})
	}
	inOrder(b.Endpoints...)
	builder := routing.Builder{Attach: g.Attach}
	host, _ := builder.BuildHost("", []routing.Route{{
		Path: "/", Type: routing.Prefix,
		Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: policy},
	}})
	var table *routing.Table
	s := &routing.Snapshot{Table: table.With(map[string]*routing.Host{"": host}, nil), Backends: []*routing.Backend{b}}
	g.store.Publish(s)
	g.OnPublish(s)
}

// site is a Host with one Route, "/".
type site struct {
	name   string
	auth   *routing.ClientAuth
	suites []uint16
	passes bool // to no Endpoint
}

// publish makes sites live, all on one Backend, with certificates by name.
func (g *gateway) publish(b *routing.Backend, endpoint string, fallback *tls.Certificate, certificates map[string][]*tls.Certificate, sites ...site) {
	g.t.Helper()
	b.Key = routing.BackendKey{Namespace: "default", Service: "app", Port: "80", Variant: b.Protocol.String()}
	b.Endpoints = []routing.Endpoint{{Addr: netip.MustParseAddrPort(endpoint)}}
	builder := routing.Builder{Attach: g.Attach}
	hosts := map[string]*routing.Host{}
	for _, s := range sites {
		given := &routing.HostTLS{ClientAuth: s.auth, CipherSuites: s.suites, Passthrough: s.passes, Backend: -1}
		h, _ := builder.BuildHost(s.name, []routing.Route{{Host: s.name, Path: "/", Type: routing.Prefix, Source: &routing.Source{
			Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, TLS: given,
		}}})
		hosts[s.name] = h.WithTLS(given)
	}
	names := map[string][]*routing.Certificate{}
	snapshot := &routing.Snapshot{Backends: []*routing.Backend{b}}
	for name, pairs := range certificates {
		for _, pair := range pairs {
			c := routed(pair)
			names[name] = append(names[name], c)
			snapshot.Certificates = append(snapshot.Certificates, c)
		}
	}
	snapshot.ServerNames = (*routing.CertificateIndex)(nil).With(names)
	if fallback != nil {
		snapshot.DefaultCertificate = routed(fallback)
	}
	var table *routing.Table
	snapshot.Table = table.With(hosts, nil)
	g.store.Publish(snapshot)
	g.OnPublish(snapshot)
}

// inOrder sorts Endpoints, as Snapshots have them.
func inOrder(list ...routing.Endpoint) []routing.Endpoint {
	slices.SortFunc(list, func(a, b routing.Endpoint) int { return a.Addr.Compare(b.Addr) })
	return list
}

// servePassthrough publishes a Host pass.test whose TLS goes to the given Endpoints, nopass.test whose Backend is not known,
// and a catch-all that goes to plain, which may be "".
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
	inOrder(pass.Endpoints...)
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

// takenOver makes the Route that g serves one of an object that is taken over from ingress-nginx.
func (g *gateway) takenOver() {
	g.t.Helper()
	old := g.store.Load()
	builder := routing.Builder{Attach: g.Attach}
	host, _ := builder.BuildHost("", []routing.Route{{
		Path: "/", Type: routing.Prefix, Anonymous: true,
		Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}},
	}})
	var empty *routing.Table
	s := &routing.Snapshot{Table: empty.With(map[string]*routing.Host{"": host}, nil), Backends: old.Backends}
	g.store.Publish(s)
	g.OnPublish(s)
}

// narrow gives the gateway less capacity than the machine has.
func (g *gateway) narrow(change func(*down.Capacity)) {
	for _, w := range g.workers {
		w.Post(func() {
			set, before := *w.down.CurrentSettings(), w.Settings
			change(&set.Capacity)
			all := *before
			all.Requests = set.Capacity.Requests
			w.Settings = &all
			w.down.Reload(&set, before)
		})
	}
	g.settle()
}

// beginDrain starts a drain and returns once every loop has stopped accepting, or the drain has ended: a loop that has ended
// runs no posted function.
func (g *gateway) beginDrain(limit time.Duration) (drained chan error) {
	drained = make(chan error, 1)
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	g.t.Cleanup(cancel)
	go func() {
		drained <- g.Drain(ctx)
		close(ended)
	}()
	for _, w := range g.workers {
		for draining := make(chan bool, 1); ; {
			w.Post(func() { draining <- w.down.IsDraining() })
			select {
			case stopped := <-draining:
				if !stopped {
					continue
				}
			case <-ended:
			}
			break
		}
	}
	return drained
}

// dial opens a raw connection to the gateway.
func (g *gateway) dial() net.Conn {
	g.t.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(servertest.Timeout))
	return c
}

// raw sends text on a connection of its own and returns all that comes until the gateway closes.
func (g *gateway) raw(text string) string {
	g.t.Helper()
	c := g.dial()
	if _, err := io.WriteString(c, text); err != nil {
		g.t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		g.t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

// wire opens a raw client connection.
func (g *gateway) wire() *servertest.Wire { return servertest.NewWire(g.t, g.dial()) }

// secureWire opens a raw connection to the port with TLS.
func (g *gateway) secureWire() *servertest.Wire {
	g.t.Helper()
	c, err := net.Dial("tcp", g.secureAddr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	return servertest.NewWire(g.t, c)
}

// wireFrom opens a raw client connection from 127.0.0.n, each of which is a source of its own. Its Close is a reset.
func (g *gateway) wireFrom(n byte) *servertest.Wire {
	g.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, n)}, Timeout: servertest.Timeout}
	c, err := d.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0) // so that the gateway is told also within a long wait
	g.t.Cleanup(func() { c.Close() })
	return servertest.NewWire(g.t, c)
}

// http2From is DialHTTP2 from 127.0.0.n.
func (g *gateway) http2From(n byte, settings ...http2.Setting) *servertest.RawHTTP2 {
	g.t.Helper()
	w := g.wireFrom(n)
	c := servertest.NewRawHTTP2(w.TCPConn, w.TCPConn)
	c.Open(settings...)
	return c
}

// party opens a client's connection. receive is the size of its receive buffer, 0 = as it is.
func (g *gateway) party(t testing.TB, k servertest.Kind, receive int) *servertest.Party {
	t.Helper()
	if k.Secure {
		return servertest.DialParty(t, g.secureAddr, k, receive)
	}
	return servertest.DialParty(t, g.addr, k, receive)
}

// tlsClient is a connection of HTTP/1.1 over TLS.
type tlsClient struct {
	*tls.Conn
	t testing.TB
	r *bufio.Reader
}

// dialTLS shakes hands. The certificate is not verified; c may be nil.
func (g *gateway) dialTLS(name string, c *tls.Config) (*tlsClient, error) {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.ServerName, c.InsecureSkipVerify = name, true
	nc, err := net.Dial("tcp", g.secureAddr)
	if err != nil {
		return nil, err
	}
	g.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(servertest.Timeout))
	conn := tls.Client(nc, c)
	if err := conn.Handshake(); err != nil {
		nc.Close()
		return nil, err
	}
	return &tlsClient{conn, g.t, bufio.NewReader(conn)}, nil
}

func (g *gateway) mustTLS(name string, c *tls.Config) *tlsClient {
	g.t.Helper()
	conn, err := g.dialTLS(name, c)
	if err != nil {
		g.t.Fatalf("handshake for %q: %v", name, err)
	}
	return conn
}

// get asks host for path, with more lines of a head.
func (c *tlsClient) get(host, path string, lines ...string) servertest.Answer {
	c.t.Helper()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, strings.Join(append(lines, ""), "\r\n"))
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("GET %s%s: %v", host, path, err)
	}
	body, err := io.ReadAll(resp.Body)
	return servertest.Answer{Response: resp, Text: string(body), Cut: err}
}

func (c *tlsClient) shown() string {
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// nameShown is the subject of the certificate that a client is shown, or the error.
func (g *gateway) nameShown(name string, c *tls.Config) string {
	conn, err := g.dialTLS(name, c)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.shown()
}

// statusOverHTTP2 asks for a host over an HTTP/2 connection that is opened for another.
func (g *gateway) statusOverHTTP2(opened, host string, c *tls.Config) int {
	g.t.Helper()
	c = c.Clone()
	c.ServerName, c.InsecureSkipVerify = opened, true
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", g.secureAddr)
	}}
	defer tr.CloseIdleConnections()
	response, err := tr.RoundTrip(&http.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: opened, Path: "/"}, Host: host, Header: http.Header{}})
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 {
		g.t.Errorf("answered over %s", response.Proto)
	}
	return response.StatusCode
}

// settle returns when the gateway has handled all bytes that were written to it before: every loop has been through the
// events that were ready, and through those that these led to.
func (g *gateway) settle() {
	for range 3 {
		var wg sync.WaitGroup
		for _, w := range g.workers {
			wg.Add(1)
			w.Post(wg.Done)
		}
		wg.Wait()
	}
}

// counted sums up a counter over the loops.
func (g *gateway) counted(f func(*stats.Counters) uint64) (sum uint64) {
	for _, w := range g.workers {
		one := make(chan uint64)
		w.Post(func() { one <- f(&w.Shard.Counters) })
		sum += <-one
	}
	return sum
}

// connections counts those of clients.
func (g *gateway) connections() (accepted uint64, open int64) {
	for _, w := range g.workers {
		n := make(chan uint64)
		w.Post(func() { n <- w.Shard.ConnectionsAccepted })
		accepted += <-n
	}
	return accepted, g.peers.Connections()
}

// ended returns how many Exchanges ended.
func (g *gateway) ended() (sum uint64) {
	for _, w := range g.workers {
		n := make(chan uint64, 1)
		w.Post(func() { n <- w.Shard.Counters.ExchangesEnded })
		sum += <-n
	}
	return sum
}

// ejected returns how often an Endpoint was ejected.
func (g *gateway) ejected() (sum uint64) {
	for _, w := range g.workers {
		done := make(chan struct{})
		w.Post(func() {
			w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { sum += s.Ejections })
			close(done)
		})
		<-done
	}
	return sum
}

// refusals sums up what the loops counted.
func (g *gateway) refusals() (sum [stats.Refusals]uint64) {
	for _, w := range g.workers {
		n := make(chan [stats.Refusals]uint64)
		w.Post(func() { n <- w.Shard.Refusals })
		for i, c := range <-n {
			sum[i] += c
		}
	}
	return sum
}

// failures returns how many connections to be passed on failed for a reason.
func (g *gateway) failures(why stats.Reason) uint64 {
	return g.counted(func(c *stats.Counters) uint64 { return c.PassthroughFailures[why] })
}

// shedOf counts what was shed for a reason.
func (g *gateway) shedOf(why stats.Shed) uint64 {
	return g.counted(func(c *stats.Counters) uint64 { return c.Shed[why] })
}

// upstreamConns counts the connections to Endpoints.
func (g *gateway) upstreamConns() int32 {
	total := make(chan int32)
	var sum int32
	for _, w := range g.workers {
		w.Post(func() {
			n := int32(0)
			w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { n += int32(s.Conns) })
			total <- n
		})
		sum += <-total
	}
	return sum
}

// lone returns how many lone sessions are open, and how many of them are free.
func (g *gateway) lone() (open, free int) {
	for _, w := range g.workers {
		done := make(chan struct{})
		w.Post(func() {
			n := w.up.CountSessions()
			open, free = open+n.Lone, free+n.LoneFree
			close(done)
		})
		<-done
	}
	return open, free
}

// pipes returns how many descriptors the idle pipes have.
func (g *gateway) pipes() (n int64) {
	for _, w := range g.workers {
		one := make(chan int64)
		w.Post(func() { one <- 2 * int64(w.IdlePipes()) })
		n += <-one
	}
	return n
}

// held counts the bytes that every connection's buffers hold.
func (g *gateway) held() (bytes int) {
	for _, w := range g.workers {
		total := make(chan int)
		w.Post(func() {
			n := 0
			for c := range w.down.All() {
				n += int(c.Holds())
			}
			total <- n
		})
		bytes += <-total
	}
	return bytes
}

// latency measures requests of another client while the first is stuck.
func (g *gateway) latency(n int) (worst time.Duration) {
	c := g.wire()
	for range n {
		begun := time.Now()
		if got := c.Get("/quick"); got.Text != "ok" {
			g.t.Errorf("another client got %d %q", got.StatusCode, got.Text)
		}
		worst = max(worst, time.Since(begun))
	}
	c.Close()
	return worst
}

// holding counts what the gateway has open for peers: descriptors, connections, streams and exchanges.
type holding struct{ downs, exchanges, ups, streams int }

func (g *gateway) holding() (h holding) {
	h.downs = int(g.peers.Connections())
	for _, w := range g.workers {
		done := make(chan struct{})
		w.Post(func() {
			defer close(done)
			h.exchanges += int(w.Shard.Counters.ExchangesStarted - w.Shard.Counters.ExchangesEnded)
			w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { h.ups += int(s.Conns - s.Idle) })
			open := w.up.CountSessions()
			h.ups -= open.Sessions
			h.streams += open.Streams
		})
		<-done
	}
	return h
}

// filesKept is how many descriptors wait for their next use: those of pipes, and both ends of the sessions with Endpoints.
func (g *gateway) filesKept() (n int) {
	for _, w := range g.workers {
		done := make(chan struct{})
		w.Post(func() { n += 2*w.IdlePipes() + 2*w.up.CountSessions().Sessions; close(done) })
		<-done
	}
	return n
}

// wantFine checks that others are served as if nothing had happened: on the connection that met the
// fault, where it is still open, and on two others.
func (g *gateway) wantFine(t *testing.T, same *servertest.Wire, open bool) {
	t.Helper()
	if open {
		if got := same.Get("/good"); got.Text != "fine" {
			t.Errorf("the same client then got %d %q %v", got.StatusCode, got.Text, got.Cut)
		}
	}
	for range 2 {
		c := servertest.NewWire(t, g.dial())
		for range 2 {
			if got := c.Get("/good"); got.Text != "fine" {
				t.Errorf("another client then got %d %q %v", got.StatusCode, got.Text, got.Cut)
			}
		}
		c.Close()
	}
}

// wantServed has clients of a source each open a connection and be answered.
func (g *gateway) wantServed(n byte, clients int) {
	g.t.Helper()
	for range clients {
		c := g.wireFrom(n)
		if got := c.Get("/quick"); got.StatusCode != 200 {
			g.t.Fatalf("a client beside them got %d, %v", got.StatusCode, got.Cut)
		}
		c.Close()
	}
}

// wantAtRest waits until nothing is under way but what is idle: as many Exchanges ended as began, and none is at an
// Endpoint.
func (g *gateway) wantAtRest() {
	g.t.Helper()
	servertest.Until(g.t, "all Exchanges to end", func() bool {
		var left int64
		for _, w := range g.workers {
			done := make(chan struct{})
			w.Post(func() {
				left += int64(w.Shard.Counters.ExchangesStarted) - int64(w.Shard.Counters.ExchangesEnded)
				w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { left += int64(s.InFlight) })
				close(done)
			})
			<-done
		}
		return left == 0
	})
}

// wantGone waits until the gateway holds nothing but the HTTP/2 connection of a client c that lives, if any.
func (g *gateway) wantGone(t testing.TB, what string, c *servertest.Party) {
	t.Helper()
	want := holding{}
	if c != nil && c.H2 != nil {
		want.downs = 1
	}
	servertest.Until(t, what+": everything to be closed", func() bool {
		h := g.holding()
		h.downs = max(0, h.downs-want.downs)
		return h == holding{}
	})
}

// wantNothingLeft waits until every account is back to nothing, once the clients are gone.
func (g *gateway) wantNothingLeft() {
	g.t.Helper()
	servertest.Until(g.t, "accounts to be back at nothing", func() bool {
		left := int64(g.sources.Count())
		for _, w := range g.workers {
			one := make(chan int64)
			w.Post(func() {
				n := int64(w.down.LargestSource())
				if w.up.CountSessions().Sessions == 0 { // those of Endpoints stay a while
					n += max(w.Buffers.Lent(), -w.Buffers.Lent())
				}
				one <- n
			})
			left += <-one
		}
		return left == 0
	})
}

// routed is a pair as a Snapshot has it.
func routed(pair *tls.Certificate) *routing.Certificate {
	return routing.NewCertificate(routing.ObjectName{Namespace: "default", Name: pair.Leaf.Subject.CommonName}, pair)
}
