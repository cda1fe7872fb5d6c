package server

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// tlsBackend answers with the facts of its client's connection: the server name and the client's certificate. It counts
// connections.
type tlsBackend struct {
	addr  string
	conns atomic.Int64
}

func newTLSBackend(t *testing.T, pair *tls.Certificate, h2 bool, roots *x509.CertPool) *tlsBackend {
	b := &tlsBackend{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s sni %q", r.Proto, r.TLS.ServerName)
		if len(r.TLS.PeerCertificates) > 0 {
			fmt.Fprint(w, " client ", r.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*pair}}
	if roots != nil {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, roots
	}
	s.EnableHTTP2 = h2
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			b.conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	b.addr = s.Listener.Addr().String()
	return b
}

// upstreamTLS makes a BackendTLS as the informer does of annotations.
func upstreamTLS(change func(*routing.BackendTLS)) *routing.BackendTLS {
	b := &routing.BackendTLS{Name: "app.default.svc", Depth: 1}
	if change != nil {
		change(b)
	}
	b.Identity = sha256.Sum256(fmt.Append(nil, b.Verify, b.Name, b.SendName, b.Depth, b.MinVersion, b.MaxVersion, b.Certificate != nil))
	if b.Certificate != nil {
		b.Identity[0] ^= b.Certificate.Certificate[0][len(b.Certificate.Certificate[0])-1]
	}
	return b
}

func TestBackendTLS(t *testing.T) {
	wantNoLeaks(t)
	ca, other := servertest.NewAuthority(t, "ca"), servertest.NewAuthority(t, "other")
	right, wrong := ca.Server("app.default.svc"), ca.Server("evil.test")
	deep := ca.Below("1").Below("2").Server("app.default.svc")
	verify := func(b *routing.BackendTLS) { b.Verify, b.Roots = true, ca.Pool() }
	client := ca.Client("gateway")
	for _, row := range []struct {
		name   string
		change func(*routing.BackendTLS)
		pair   *tls.Certificate
		roots  *x509.CertPool
		status int
		body   string
	}{
		{"unverified", nil, wrong, nil, 200, `sni ""`},
		{"unverified, a name sent", func(b *routing.BackendTLS) { b.SendName = true }, wrong, nil, 200, `sni "app.default.svc"`},
		{"verified", verify, right, nil, 200, `sni ""`},
		{"verified, a name sent", func(b *routing.BackendTLS) { verify(b); b.SendName = true }, right, nil, 200, `sni "app.default.svc"`},
		{"wrong name", verify, wrong, nil, 502, ""},
		{"wrong authority", func(b *routing.BackendTLS) { b.Verify, b.Roots = true, other.Pool() }, right, nil, 502, ""},
		{"too deep", verify, deep, nil, 502, ""},
		{"deep enough", func(b *routing.BackendTLS) { verify(b); b.Depth = 2 }, deep, nil, 200, ""},
		{"version too old", func(b *routing.BackendTLS) { b.MinVersion, b.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, right, nil, 502, ""},
		{"asked for a certificate, and none", nil, right, ca.Pool(), 502, ""},
		{"asked for a certificate", func(b *routing.BackendTLS) { b.Certificate = client }, right, ca.Pool(), 200, `sni "" client gateway`},
		{"asked for another authority's", func(b *routing.BackendTLS) { b.Certificate = client }, right, other.Pool(), 502, ""},
	} {
		for _, p := range []routing.Protocol{routing.HTTPS, routing.GRPCS} {
			t.Run(row.name+", "+p.String(), func(t *testing.T) {
				b := newTLSBackend(t, row.pair, true, row.roots)
				g := newGateway(t, nil, Options{})
				g.serveBackend(nil, &routing.Backend{Protocol: p, TLS: upstreamTLS(row.change)}, b.addr)
				c := g.wire()
				proto := "HTTP/1.1 "
				if p == routing.GRPCS {
					proto = "HTTP/2.0 "
				}
				for range 2 {
					if got := c.Get("/"); got.StatusCode != row.status || row.status == 200 && !strings.HasPrefix(got.Text, proto+row.body) {
						t.Errorf("got %d %q", got.StatusCode, got.Text)
					}
				}
				if n := b.conns.Load(); row.status == 200 && n != 1 {
					t.Errorf("%d connections for two requests", n)
				}
			})
		}
	}
}

// TestBackendIdentityRotates: no request goes over a connection that was opened with an identity no longer configured.
func TestBackendIdentityRotates(t *testing.T) {
	wantNoLeaks(t)
	ca := servertest.NewAuthority(t, "ca")
	for _, p := range []routing.Protocol{routing.HTTPS, routing.GRPCS} {
		b := newTLSBackend(t, ca.Server("app.default.svc"), true, ca.Pool())
		g := newGateway(t, nil, Options{})
		c := g.wire()
		for i := range 5 {
			name := fmt.Sprint("gateway ", i)
			pair := ca.Client(name)
			tls := upstreamTLS(func(b *routing.BackendTLS) { b.Certificate = pair })
			tls.Identity = sha256.Sum256([]byte(name))
			g.serveBackend(nil, &routing.Backend{Protocol: p, TLS: tls}, b.addr)
			for range 3 {
				if got := c.Get("/"); got.StatusCode != 200 || !strings.HasSuffix(got.Text, "client "+name) {
					t.Errorf("%v, round %d: got %d %q", p, i, got.StatusCode, got.Text)
				}
			}
		}
		if n := b.conns.Load(); n != 5 {
			t.Errorf("%v: %d connections, want one for each identity", p, n)
		}
	}
}

// TestBackendWithoutHTTP2: an Endpoint that does not agree on h2 is not spoken to.
func TestBackendWithoutHTTP2(t *testing.T) {
	wantNoLeaks(t)
	b := newTLSBackend(t, servertest.NewAuthority(t, "ca").Server("app.default.svc"), false, nil)
	g := newGateway(t, nil, Options{})
	g.serveBackend(nil, &routing.Backend{Protocol: routing.GRPCS, TLS: upstreamTLS(nil)}, b.addr)
	if got := g.wire().Get("/"); got.StatusCode != 502 {
		t.Errorf("got %d %q", got.StatusCode, got.Text)
	}
}

// rawTLSBackend gives each connection to handle once it has shaken hands, over h1.
func rawTLSBackend(t *testing.T, handle func(raw net.Conn, c *tls.Conn)) string {
	pair := servertest.NewAuthority(t, "ca").Server("app.default.svc")
	return servertest.RawBackend(t, func(_ int, w *servertest.Wire) {
		c := tls.Server(w.TCPConn, &tls.Config{Certificates: []tls.Certificate{*pair}})
		if c.Handshake() != nil {
			return
		}
		head := make([]byte, 16<<10)
		if _, err := c.Read(head); err == nil {
			handle(w.TCPConn, c)
		}
	})
}

// TestBackendTruncation: a body that ends with its connection is whole only behind a close_notify.
func TestBackendTruncation(t *testing.T) {
	wantNoLeaks(t)
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	for _, row := range []struct {
		name  string
		end   func(raw net.Conn, c *tls.Conn)
		whole bool
	}{
		{"close_notify", func(_ net.Conn, c *tls.Conn) { c.CloseWrite() }, true},
		{"FIN alone", func(raw net.Conn, _ *tls.Conn) { raw.Close() }, false},
		{"reset", func(raw net.Conn, _ *tls.Conn) { raw.(*net.TCPConn).SetLinger(0); raw.Close() }, false},
		{"half a record", func(raw net.Conn, _ *tls.Conn) { raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}); raw.Close() }, false},
		{"garbage", func(raw net.Conn, _ *tls.Conn) { raw.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); raw.Close() }, false},
	} {
		for _, size := range []int{0, 10, 100_000} {
			t.Run(fmt.Sprintf("%s, %d", row.name, size), func(t *testing.T) {
				body := string(servertest.Pattern(size))
				g := newGateway(t, nil, Options{})
				g.serveBackend(nil, &routing.Backend{Protocol: routing.HTTPS, TLS: upstreamTLS(nil)}, rawTLSBackend(t, func(raw net.Conn, c *tls.Conn) {
					io.WriteString(c, head+body)
					row.end(raw, c)
				}))
				got := g.wire().Get("/")
				if whole := got.StatusCode == 200 && got.Cut == nil && got.Text == body; whole != row.whole {
					t.Errorf("got %d, %d bytes, cut %v", got.StatusCode, len(got.Text), got.Cut)
				}
				if got.StatusCode == 200 && got.Cut == nil && !row.whole {
					t.Errorf("%d bytes of %d were taken for all", len(got.Text), size)
				}
				// Over HTTP/2 a cut is a reset of the stream.
				two := servertest.HTTP2Client(t)
				resp, err := two.Get("http://" + g.addr + "/")
				var b []byte
				if err == nil {
					b, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if whole := err == nil && resp.StatusCode == 200 && string(b) == body; whole != row.whole {
					t.Errorf("HTTP/2: %d bytes, %v", len(b), err)
				}
			})
		}
	}
}

// TestBackendHandshakeFaults: an Endpoint that does not shake hands is a 502 in time, and another is tried first.
func TestBackendHandshakeFaults(t *testing.T) {
	wantNoLeaks(t)
	for _, row := range []struct {
		name string
		f    func(c *servertest.Wire)
	}{
		{"closes", func(*servertest.Wire) {}},
		{"resets", func(c *servertest.Wire) { c.Take(10); c.SetLinger(0) }},
		{"speaks HTTP", func(c *servertest.Wire) { c.Take(5); c.Send("HTTP/1.1 400 Bad Request\r\n\r\n"); c.Rest() }},
		{"half a flight", func(c *servertest.Wire) { c.Take(5); c.TCPConn.Write([]byte{22, 3, 3, 0, 100, 2}) }},
		{"alert", func(c *servertest.Wire) { c.Take(5); c.TCPConn.Write([]byte{21, 3, 3, 0, 2, 2, 40}); c.Rest() }},
	} {
		for _, p := range []routing.Protocol{routing.HTTPS, routing.GRPCS} {
			t.Run(row.name+", "+p.String(), func(t *testing.T) {
				bad := servertest.RawBackend(t, func(_ int, c *servertest.Wire) { row.f(c) })
				g := newGateway(t, nil, Options{})
				g.serveBackend(nil, &routing.Backend{Protocol: p, TLS: upstreamTLS(nil)}, bad)
				if got := g.wire().Get("/"); got.StatusCode != 502 {
					t.Errorf("got %d %q", got.StatusCode, got.Text)
				}
				good := newTLSBackend(t, servertest.NewAuthority(t, "ca").Server("app.default.svc"), true, nil)
				g.serveBackend(nil, &routing.Backend{Protocol: p, TLS: upstreamTLS(nil)}, bad, good.addr)
				c := g.wire()
				for range 4 {
					if got := c.Get("/"); got.StatusCode != 200 {
						t.Errorf("with another Endpoint: %d %q", got.StatusCode, got.Text)
					}
				}
			})
		}
	}
}
