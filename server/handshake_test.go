package server

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

func TestPlainHTTPOnHTTPS(t *testing.T) {
	wantNoLeaks(t)
	g := secureGateway(t, nil)
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "G", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", strings.Repeat("x", 100_000)} {
		c := g.secureWire()
		c.Send("%s", text)
		if got := c.ReadAnswer("GET"); got.StatusCode != 400 || !strings.Contains(got.Text, "plain HTTP") || !got.Close {
			t.Errorf("%.10q: got %d %q", text, got.StatusCode, got.Text)
		}
		c.CloseWrite()
		c.Rest()
	}
	if n := g.refusals()[stats.RefusedNotTLS]; n != 4 {
		t.Errorf("counted %d", n)
	}
	if got := g.mustTLS("a.test", nil).get("a.test", "/"); got.StatusCode != 200 {
		t.Errorf("then %d", got.StatusCode)
	}
}

// TestBrokenHandshakes: every way for a client not to finish its handshake ends the connection, in time, is counted as what
// it was, and leaves nothing behind.
func TestBrokenHandshakes(t *testing.T) {
	wantNoLeaks(t)
	first := []byte(servertest.ClientHello(t, "a.test"))
	garbage := make([]byte, 1000)
	_, _ = rand.Read(garbage)
	bad := bytes.Clone(first)
	copy(bad[60:], garbage) // in the lists of the ClientHello
	for _, row := range []struct {
		name    string
		f       func(c *servertest.Wire)
		refused stats.Refusal  // where failed is none
		failed  tlsconn.Reason // none: before the handshake
	}{
		{"nothing", func(c *servertest.Wire) { c.Rest() }, stats.RefusedNoHello, none},
		{"nothing, and leaves", func(c *servertest.Wire) { c.CloseWrite(); c.Rest() }, stats.RefusedLeft, none},
		{"half a hello", func(c *servertest.Wire) { c.TCPConn.Write(first[:100]); c.Rest() }, stats.RefusedNoHello, none},
		{"half a hello, and leaves", func(c *servertest.Wire) { c.TCPConn.Write(first[:100]); c.CloseWrite(); c.Rest() }, stats.RefusedLeft, none},
		{"half a hello, and resets", func(c *servertest.Wire) { c.TCPConn.Write(first[:100]); c.SetLinger(0) }, stats.RefusedLeft, none},
		{"a hello byte by byte, too slow", func(c *servertest.Wire) {
			for _, b := range first {
				if _, err := c.TCPConn.Write([]byte{b}); err != nil {
					break
				}
				time.Sleep(10 * time.Millisecond) // plays a slow peer
			}
		}, stats.RefusedNoHello, none},
		{"a huge hello", func(c *servertest.Wire) {
			record := append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff}, make([]byte, 16<<10-4)...)
			c.TCPConn.Write(record)
			c.Rest()
		}, stats.RefusedHelloSize, none},
		{"a hello, and silence", func(c *servertest.Wire) { c.TCPConn.Write(first); c.Rest() }, 0, tlsconn.ReasonTimeout},
		{"a hello, and leaves", func(c *servertest.Wire) { c.TCPConn.Write(first); c.Take(100); c.CloseWrite(); c.Rest() }, 0, tlsconn.ReasonGone},
		{"a hello, and resets", func(c *servertest.Wire) { c.TCPConn.Write(first); c.Take(100); c.SetLinger(0) }, 0, tlsconn.ReasonGone},
		{"a hello, and garbage", func(c *servertest.Wire) { c.TCPConn.Write(first); c.Take(100); c.TCPConn.Write(garbage); c.Rest() }, 0, tlsconn.ReasonProtocol},
		{"a malformed hello", func(c *servertest.Wire) { c.TCPConn.Write(bad); c.Rest() }, stats.RefusedBadHello, none},
		{"a certificate that it does not trust", func(c *servertest.Wire) {
			_ = tls.Client(c.TCPConn, &tls.Config{ServerName: "a.test", RootCAs: x509.NewCertPool()}).Handshake()
			c.Rest()
		}, 0, tlsconn.ReasonAlert},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			slow := row.failed == tlsconn.ReasonTimeout || row.failed == none && row.refused == stats.RefusedNoHello
			servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
				var settings config.Config
				g := secureGateway(t, func(c *config.Config) {
					c.TLS.HandshakeTimeout = config.Duration(long)
					if slow {
						c.TLS.HandshakeTimeout = config.Duration(4 * timeout)
					}
					settings = *c
				})
				t.InTime = !slow
				begun := time.Now()
				c := g.secureWire()
				row.f(c)
				c.Close()
				servertest.Until(t, "the connection to end", func() bool { accepted, open := g.connections(); return accepted == 1 && open == 0 })
				if took := time.Since(begun); took > servertest.Timeout/2 {
					t.Errorf("it took %v", took)
				}
				servertest.Until(t, "the handshake to end", func() bool { return g.handshakes.Counts().UnderWay == 0 })
				counts, refusals := g.handshakes.Counts(), g.refusals()
				if row.failed != none && counts.Failed[row.failed] != 1 || row.failed == none && (refusals[row.refused] != 1 || counts.Started > 0) {
					t.Errorf("counted %+v, refused %v", counts, refusals)
				}
				settings.TLS.HandshakeTimeout = config.Duration(long) // this client's handshake may take its time
				g.Reload(&settings)
				g.settle()
				if got := g.mustTLS("a.test", nil).get("a.test", "/"); got.StatusCode != 200 {
					t.Errorf("then %d", got.StatusCode)
				}
			})
		})
	}
}

const none = tlsconn.Reason(255)

// TestSlowHandshake: a client that is slow but in time is served.
func TestSlowHandshake(t *testing.T) {
	wantNoLeaks(t)
	g := secureGateway(t, nil)
	near, far := net.Pipe()
	raw := g.secureWire()
	t.Cleanup(func() { near.Close(); far.Close() })
	go func() { _, _ = io.Copy(far, raw.TCPConn) }()
	go func() { // byte by byte
		b := make([]byte, 1)
		for {
			if _, err := far.Read(b); err != nil {
				return
			}
			if _, err := raw.TCPConn.Write(b); err != nil {
				return
			}
		}
	}()
	c := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") {
		t.Errorf("%q, %v", b, err)
	}
}

// TestDrainWithHandshakes: a handshake that is under way when a drain begins goes on, its request is answered, and one that
// never comes delays the drain by the handshake's timeout at most.
func TestDrainWithHandshakes(t *testing.T) {
	wantNoLeaks(t)
	servertest.Retry(t, drainWithHandshakes)
}

func drainWithHandshakes(t *servertest.Try, timeout time.Duration) {
	g := secureGateway(t, func(c *config.Config) { c.TLS.HandshakeTimeout = config.Duration(4 * timeout) })
	late, silent, half := g.secureWire(), g.secureWire(), g.secureWire()
	first := []byte(servertest.ClientHello(t, "a.test"))
	half.TCPConn.Write(first)
	half.Take(100)
	servertest.Until(t, "all to be accepted", func() bool { accepted, _ := g.connections(); return accepted == 3 })
	drained := g.beginDrain(servertest.Timeout)
	c := tls.Client(late.TCPConn, &tls.Config{InsecureSkipVerify: true})
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatalf("a handshake within the drain: %v", err)
	}
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") || !strings.Contains(string(b), "Connection: close") {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	silent.WantClosed()
	half.Rest()
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}
