package tlsconn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// gateway echoes what TLS clients send, on a loop, the way the data plane does it.
type gateway struct {
	t          testing.TB
	loop       *loop.Loop
	src        loop.Source
	addr       string
	config     *tls.Config
	handshakes *Handshakes
	deadline   atomic.Int64 // nanoseconds
	open       atomic.Int64
	plain      [64 << 10]byte
	cipher     [64 << 10]byte
	heap       heap
}

func startGateway(t testing.TB, config *tls.Config, hs *Handshakes) *gateway {
	t.Helper()
	l, err := loop.New(0)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, loop: l, config: config, handshakes: hs}
	g.deadline.Store(int64(time.Minute))
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 4096)); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	g.addr = fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port)
	ended := make(chan error, 1)
	go func() { ended <- l.Serve() }()
	l.Post(func() {
		if err := l.RegisterListener(&g.src, fd, g); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		l.Post(func() { l.CloseSource(&g.src) })
		l.Close()
		<-ended
	})
	return g
}

// Ready accepts.
func (g *gateway) Ready(loop.Events) {
	for {
		fd, sa, err := syscall.Accept4(g.src.FD(), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		s := &session{g: g, writable: true}
		if a, ok := sa.(*syscall.SockaddrInet4); ok {
			s.remote = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
		}
		s.timer.OnExpire = s
		g.loop.Set(&s.timer, g.loop.Now()+g.deadline.Load())
		g.open.Add(1)
		if err := g.loop.Register(&s.src, fd, s); err != nil {
			s.close(nil)
		}
	}
}

// session is one client's connection: what the data plane's owner does, in small.
type session struct {
	g                       *gateway
	src                     loop.Source
	timer                   loop.Timer
	remote                  netip.AddrPort
	hello                   clienthello.Hello
	in, out                 []byte
	tls                     *Conn
	done, closing           bool
	readable, writable, eof bool
}

func (s *session) Ready(ev loop.Events) {
	s.readable = s.readable || ev&(loop.Readable|loop.ReadClosed|loop.Failed) != 0
	s.writable = s.writable || ev&loop.Writable != 0
	s.pump()
}

func (s *session) Expired(*loop.Timer, int64) {
	if !s.done {
		s.close(ErrTimeout)
	}
}

// Progress implements Owner.
func (s *session) Progress() {
	var err error
	s.out, s.done, err = s.tls.Advance(s.out)
	s.closing = err != nil
	s.pump()
}

// read reads the socket once.
func (s *session) read(p []byte) []byte {
	if !s.readable || s.eof || len(p) == 0 {
		return nil
	}
	n, errno := loop.Read(s.src.FD(), p)
	switch {
	case errno == syscall.EAGAIN:
		s.readable = false
		return nil
	case errno != 0 || n == 0:
		s.eof = true
		return nil
	}
	return p[:n]
}

func (s *session) flush() {
	for len(s.out) > 0 && s.writable {
		n, errno := loop.Write(s.src.FD(), s.out, false)
		if errno != 0 {
			s.writable = false
			s.eof = s.eof || errno != syscall.EAGAIN
			return
		}
		s.out = s.out[n:]
	}
}

func (s *session) pump() {
	g := s.g
	for s.src.Open() {
		s.flush()
		switch {
		case len(s.out) > 0 && !s.eof:
			return
		case s.closing:
			s.close(nil)
			return
		case s.tls == nil:
			raw := s.read(g.cipher[:])
			s.in = append(s.in, raw...)
			switch clienthello.Parse(&s.hello, s.in, clienthello.Limits{}) {
			case clienthello.Done:
				var err error
				s.tls, err = g.handshakes.Server(Params{Config: g.config, Remote: s.remote, Loop: g.loop, Owner: s, Buffers: &g.heap, Early: s.in})
				s.in = nil
				if err != nil {
					s.close(nil)
					return
				}
			case clienthello.Incomplete:
				if s.eof {
					s.close(nil)
				}
				if raw == nil {
					return
				}
			default:
				s.close(nil)
				return
			}
		case !s.done:
			raw := s.read(g.cipher[:min(s.tls.Room(), len(g.cipher))])
			if raw != nil || s.eof {
				s.tls.Feed(raw, s.eof)
			}
			if raw == nil {
				return
			}
		default:
			var raw []byte
			buffered := s.tls.Buffered()
			if !buffered {
				raw = s.read(g.cipher[:])
			}
			n, err := s.tls.Read(g.plain[:], raw, s.eof)
			if n > 0 {
				s.out, _ = s.tls.Append(s.out, g.plain[:n])
			}
			if s.tls.HasReply() {
				s.out = s.tls.AppendReply(s.out)
			}
			if err != nil {
				if err == io.EOF {
					s.out = s.tls.AppendClose(s.out)
				}
				s.closing = true
				continue
			}
			if n == 0 && raw == nil && !buffered {
				return
			}
		}
	}
}

func (s *session) close(why error) {
	if !s.src.Open() {
		return
	}
	s.g.loop.Unlink(&s.timer)
	s.g.loop.CloseSource(&s.src)
	if s.tls != nil {
		s.tls.Close(why)
	}
	s.g.open.Add(-1)
}

// until waits for something that other goroutines are about to do.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(20 * time.Microsecond) // the processor is for what is waited for
	}
}

// roundTrip sends and expects the same back.
func roundTrip(t testing.TB, c net.Conn, n int) {
	t.Helper()
	want := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		wrote <- err
	}()
	got := make([]byte, n)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("the echo differs")
	}
}

// TestConnOverLoop: Go's client on real sockets, both versions, small and large, with resumption.
func TestConnOverLoop(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			hs := NewHandshakes(Limits{})
			g := startGateway(t, serverConfig(v.id), hs)
			config := &tls.Config{ServerName: "test.com", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			for i := range 2 {
				c, err := tls.Dial("tcp", g.addr, config)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range []int{1, 100, 16 << 10, 1 << 20} {
					roundTrip(t, c, n)
				}
				cs := c.ConnectionState()
				if cs.DidResume != (i == 1) || cs.Version != v.id || cs.NegotiatedProtocol != "http/1.1" {
					t.Errorf("connection %d: resumed=%v, version %x, %q", i, cs.DidResume, cs.Version, cs.NegotiatedProtocol)
				}
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("instead of close_notify: %v", err)
				}
				c.Close()
			}
			until(t, "the end of all connections", func() bool { return g.open.Load() == 0 })
			if c := hs.Counts(); c.Started != 2 || c.Completed != 2 || c.Resumed != 1 || c.UnderWay != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// dripConn writes one byte at a time.
type dripConn struct{ net.Conn }

func (d dripConn) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestBytewiseClient(t *testing.T) {
	for _, v := range versions {
		g := startGateway(t, serverConfig(v.id), NewHandshakes(Limits{}))
		raw, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(dripConn{raw}, &tls.Config{InsecureSkipVerify: true})
		roundTrip(t, c, 3000)
		c.Close()
	}
}

func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	g := startGateway(t, serverConfig(0), NewHandshakes(Limits{}))
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-tls1_3"}, "TLSv1.3"},
		{[]string{"-tls1_2"}, "TLSv1.2"},
		{[]string{"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}, "ECDHE-ECDSA-CHACHA20-POLY1305"},
	} {
		cmd := exec.Command(openssl, append([]string{"s_client", "-connect", g.addr, "-servername", "test.com", "-alpn", "h2"}, test.args...)...)
		cmd.Stdin = strings.NewReader("")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.want) || !strings.Contains(string(out), "ALPN protocol: h2") {
			t.Errorf("%v: %v\n%s", test.args, err, out)
		}
	}
}

// halfOpen connects, sends a whole ClientHello and nothing more.
func halfOpen(t testing.TB, addr string, hello []byte) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(hello); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFlood: half-open handshakes are bounded in goroutines and memory, the oldest give way, and a
// client that goes on is served.
func TestFlood(t *testing.T) {
	const most, flood = 64, 600
	hs := NewHandshakes(Limits{UnderWay: most})
	g := startGateway(t, serverConfig(0), hs)
	hello := clientHello(t)
	before := runtime.NumGoroutine()
	var conns []net.Conn
	for range flood {
		conns = append(conns, halfOpen(t, g.addr, hello))
		if n := runtime.NumGoroutine() - before; n > 2*most+16 {
			t.Fatalf("%d goroutines", n)
		}
	}
	// All of it taken in, and what is left at rest: one that comes while all compute is refused.
	until(t, "the flood to be cut", func() bool {
		c := hs.Counts()
		return c.Started+c.RefusedBusy == flood && c.Waiting == c.UnderWay && g.open.Load() <= most
	})
	c, err := tls.Dial("tcp", g.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c, 100)
	c.Close()
	counts := hs.Counts()
	if counts.UnderWay > most || counts.Failed[ReasonDisplaced] == 0 || counts.Started != flood+1-counts.RefusedBusy {
		t.Errorf("%+v", counts)
	}
	for _, c := range conns {
		c.Close()
	}
	until(t, "the rest to end", func() bool { return g.open.Load() == 0 && hs.Counts().UnderWay == 0 })
	until(t, "their goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

// TestShare: a source that holds its share displaces its own oldest, not another's.
func TestShare(t *testing.T) {
	hs := NewHandshakes(Limits{PerSource: 2})
	hello := clientHello(t)
	q := newQueue()
	begin := func(ip string) (*end, error) {
		e := &end{}
		var err error
		e.Conn, err = hs.Server(Params{
			Config: serverConfig(0), Remote: netip.AddrPortFrom(netip.MustParseAddr(ip), 1), Loop: q, Owner: e, Buffers: &e.heap, Early: hello,
		})
		return e, err
	}
	waiting := func(n int) {
		t.Helper()
		until(t, "the handshakes to wait", func() bool { return hs.Counts().Waiting == n })
	}
	var ends []*end
	// The last two are one /64; IPv4 in IPv6 is IPv4.
	for i, ip := range []string{"192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::ffff:0:2"} {
		e, err := begin(ip)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, e)
		waiting(i + 1)
	}
	for _, ip := range []string{"192.0.2.1", "2001:db8::3"} {
		e, err := begin(ip)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, e)
		waiting(5)
	}
	until(t, "the displaced", func() bool { return hs.Counts().Failed[ReasonDisplaced] == 2 })
	q.runAll()
	for i, e := range ends {
		_, done, err := e.Advance(nil)
		if displaced := i == 0 || i == 3; done != displaced || displaced && !errors.Is(err, ErrDisplaced) {
			t.Errorf("handshake %d: done=%v, %v", i, done, err)
		}
		e.Close(nil)
	}
	until(t, "the end", func() bool { return hs.Counts().UnderWay == 0 && len(hs.slots) == 0 })

	// None waits, so none can be displaced.
	hs = NewHandshakes(Limits{PerSource: 1, Running: 1})
	hs.slots <- struct{}{} // the processor is taken
	first, err := begin("192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin("192.0.2.1"); err != ErrShare {
		t.Errorf("got %v, want ErrShare", err)
	}
	hs.SetLimits(Limits{UnderWay: 1})
	if _, err := begin("192.0.2.2"); err != ErrBusy {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if c := hs.Counts(); c.RefusedShare != 1 || c.RefusedBusy != 1 {
		t.Errorf("%+v", c)
	}
	first.Close(nil)
	<-hs.slots
	until(t, "the end", func() bool { return hs.Counts().UnderWay == 0 })
	if first.progress > 0 {
		t.Error("the Owner was called after Close")
	}
}

// TestDeadline: a client that stops anywhere in the handshake is cut off, and its goroutine ends.
func TestDeadline(t *testing.T) {
	hs := NewHandshakes(Limits{})
	g := startGateway(t, serverConfig(0), hs)
	hello := clientHello(t)
	cutOff := func(sent []byte) {
		c, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, _ = c.Write(sent) // the time may be over
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %d bytes: %v", len(sent), err)
		}
	}
	g.deadline.Store(int64(50 * time.Millisecond))
	cutOff(nil)
	cutOff(hello[:50])
	if n := hs.Counts().Started; n > 0 {
		t.Errorf("%d handshakes without a ClientHello", n)
	}
	// All of the ClientHello, again where it was not there in time.
	for deadline := 50 * time.Millisecond; hs.Counts().Started == 0 && deadline < 10*time.Second; deadline *= 2 {
		g.deadline.Store(int64(deadline))
		cutOff(hello)
	}
	until(t, "the count", func() bool { c := hs.Counts(); return c.Failed[ReasonTimeout] == 1 && c.UnderWay == 0 })
}

// TestCloseDuringHandshake: the connection goes away at any moment of the handshake, its descriptor's
// number is used again at once, and nothing is leaked or written to the wrong one.
func TestCloseDuringHandshake(t *testing.T) {
	hs := NewHandshakes(Limits{})
	g := startGateway(t, serverConfig(0), hs)
	hello := clientHello(t)
	for i := range 200 {
		c := halfOpen(t, g.addr, hello)
		if i%2 == 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
		good, err := tls.Dial("tcp", g.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, good, 100)
		good.Close()
	}
	until(t, "the end", func() bool { return g.open.Load() == 0 && hs.Counts().UnderWay == 0 && len(hs.slots) == 0 })
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name   string
		server func(*tls.Config)
		client tls.Config
		want   Reason
	}{
		{"no common version", nil, tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}, ReasonProtocol},
		{"no common protocol", nil, tls.Config{InsecureSkipVerify: true, NextProtos: []string{"x"}}, ReasonProtocol},
		{"client does not trust us", nil, tls.Config{ServerName: "x"}, ReasonAlert},
		{"no certificate from the client", func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, tls.Config{InsecureSkipVerify: true}, ReasonCertificate},
		{"a bad one", func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }, tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{*selfSigned}}, ReasonCertificate},
		{"unknown name", func(c *tls.Config) {
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}, tls.Config{InsecureSkipVerify: true}, ReasonName},
		{"a panic of ours", func(c *tls.Config) {
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("BUG: for the test") }
		}, tls.Config{InsecureSkipVerify: true}, ReasonInternal},
	}
	for i := range tests {
		test := &tests[i]
		t.Run(test.name, func(t *testing.T) {
			config := serverConfig(0).Clone()
			if test.server != nil {
				test.server(config)
			}
			hs := NewHandshakes(Limits{})
			g := startGateway(t, config, hs)
			test.client.MinVersion = tls.VersionTLS10
			c, err := tls.Dial("tcp", g.addr, &test.client)
			if err == nil {
				// In TLS 1.3 the client is done before we have looked at its certificate.
				_, err = c.Read(make([]byte, 1))
				c.Close()
			}
			if err == nil {
				t.Fatal("the handshake succeeded")
			}
			until(t, "the count", func() bool { return hs.Counts().Failed[test.want] == 1 })
			until(t, "the end", func() bool { return g.open.Load() == 0 && len(hs.slots) == 0 })
		})
	}
}
