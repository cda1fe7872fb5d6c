package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// announcing has c's connections begin with header.
func announcing(c *http.Client, header string) *http.Client {
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && header != "" {
			_, err = io.WriteString(nc, header)
		}
		return nc, err
	}
	return c
}

var (
	headerFrom = netip.MustParseAddrPort("192.0.2.1:1000")
	headerTo   = netip.MustParseAddrPort("198.51.100.2:8443")
	headerV1   = string(proxyproto.AppendV1(nil, headerFrom, headerTo))
	headerV2   = string(proxyproto.AppendV2(nil, &proxyproto.Header{Source: headerFrom, Destination: headerTo, Checksum: true}))
)

// TestProxyProtocol: every form of header in front of every protocol, and the fields that Backends get.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	g := newProxiedGateway(t, nil)
	from6, to6 := netip.MustParseAddrPort("[2001:db8::1]:1000"), netip.MustParseAddrPort("[2001:db8::2]:444")
	for _, row := range []struct {
		name, header, client, port string
		tls                        bool // was spoken with the sender
	}{
		{"version 1", headerV1, "192.0.2.1", "8443", false},
		{"version 1, IPv6", string(proxyproto.AppendV1(nil, from6, to6)), "2001:db8::1", "444", false},
		{"version 1, IPv4 as IPv6", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1000 8443\r\n", "192.0.2.1", "8443", false},
		{"version 1, unknown", "PROXY UNKNOWN\r\n", "127.0.0.1", "", false},
		{"version 2", headerV2, "192.0.2.1", "8443", false},
		{"version 2, IPv6", string(proxyproto.AppendV2(nil, &proxyproto.Header{Source: from6, Destination: to6})), "2001:db8::1", "444", false},
		{"version 2, TLS at the sender", string(proxyproto.AppendV2(nil, &proxyproto.Header{
			Source: headerFrom, Destination: headerTo, TLS: proxyproto.TLS{Used: true, Version: []byte("TLSv1.3")}})), "192.0.2.1", "8443", true},
		{"version 2, local", string(proxyproto.AppendV2(nil, &proxyproto.Header{Local: true})), "127.0.0.1", "", false},
	} {
		for _, down := range servertest.Downs {
			t.Run(row.name+", "+down.Name, func(t *testing.T) {
				addr, port, proto := g.addr, row.port, "http"
				if down.Scheme == "https" {
					addr = g.secureAddr
				}
				if row.tls || down.Scheme == "https" {
					proto = "https"
				}
				if port == "" {
					_, port, _ = net.SplitHostPort(addr)
				}
				c := announcing(down.Down(t), row.header)
				want := fmt.Sprintf("for %s real %[1]s proto %s port %s", row.client, proto, port)
				for range 2 { // on one connection
					if got := servertest.Get(t, c, down.Scheme+"://"+addr+"/"); got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				}
			})
		}
	}
}

// TestProxyProtocolSplit: it does not matter how header and request are cut, nor how many there are at once.
func TestProxyProtocolSplit(t *testing.T) {
	t.Parallel()
	g := newProxiedGateway(t, nil)
	for _, header := range []string{headerV1, headerV2} {
		c := g.wire()
		for _, b := range []byte(header + "GET / HTTP/1.1\r\nHost: a\r\n\r\n") {
			_, _ = c.Write([]byte{b})
			g.settle()
		}
		if got := c.ReadAnswer("GET"); !strings.Contains(got.Text, "for 192.0.2.1 ") {
			t.Errorf("byte by byte: %d %q", got.StatusCode, got.Text)
		}
		c = g.wire()
		c.Send("%s", header+strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3))
		for range 3 {
			if got := c.ReadAnswer("GET"); !strings.Contains(got.Text, "for 192.0.2.1 ") {
				t.Errorf("pipelined: %d %q", got.StatusCode, got.Text)
			}
		}
		c = g.wire()
		c.Send("%s", header+"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		c.CloseWrite()
		if got := c.ReadAnswer("GET"); !strings.Contains(got.Text, "for 192.0.2.1 ") {
			t.Errorf("half closed: %d %q", got.StatusCode, got.Text)
		}
		c.WantClosed()
	}
	// A ClientHello byte by byte behind a header.
	nc, err := net.Dial("tcp", g.secureAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	secure := tls.Client(&dribble{Conn: nc, g: g}, &tls.Config{InsecureSkipVerify: true})
	_, _ = io.WriteString(secure.NetConn(), headerV2)
	if _, err := io.WriteString(secure, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(secure); !strings.Contains(string(b), "for 192.0.2.1 ") {
		t.Errorf("TLS byte by byte: %q", b)
	}
}

// dribble writes its first bytes one at a time.
type dribble struct {
	net.Conn
	g    *gateway
	sent int
}

func (d *dribble) Write(p []byte) (n int, err error) {
	for n < len(p) && d.sent < 400 {
		if _, err := d.Conn.Write(p[n : n+1]); err != nil {
			return n, err
		}
		d.g.settle()
		n++
		d.sent++
	}
	m, err := d.Conn.Write(p[n:])
	return n + m, err
}

// TestProxyProtocolRefuses: connections that are closed without an answer, and the reasons they are counted under.
func TestProxyProtocolRefuses(t *testing.T) {
	t.Parallel()
	untrusted := func(c *config.Config) { c.ProxyProtocol.TrustedCIDRs = []string{"192.0.2.0/24", "::1"} }
	short := func(c *config.Config) { c.ProxyProtocol.Timeout = config.Duration(50 * time.Millisecond) }
	for _, row := range []struct {
		name, sent string
		end        bool // the client shuts its side
		change     func(*config.Config)
		why        stats.ProxyRefusal // ProxyRefusals: not counted
	}{
		{"untrusted peer", headerV1 + "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, untrusted, stats.ProxyUntrusted},
		{"untrusted and silent", "", false, untrusted, stats.ProxyUntrusted},
		{"no header", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, nil, stats.ProxyMalformed},
		{"a ClientHello", "\x16\x03\x01\x02\x00\x01", false, nil, stats.ProxyMalformed},
		{"malformed version 1", "PROXY TCP4 192.0.2.1 198.51.100.2 1000\r\n", false, nil, stats.ProxyMalformed},
		{"endless version 1", "PROXY TCP4 " + strings.Repeat("1", 200), false, nil, stats.ProxyMalformed},
		{"version 2, too long", headerV2[:14] + "\xff\xff", false, nil, stats.ProxyMalformed},
		{"end within a header", headerV2[:20], true, nil, stats.ProxyMalformed},
		{"end at once", "", true, nil, stats.ProxyRefusals},
		{"slow header", headerV1[:20], false, short, stats.ProxyTimeout},
		{"silence", "", false, short, stats.ProxyTimeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newProxiedGateway(t, row.change)
			for n, addr := range []string{g.addr, g.secureAddr} {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				c := servertest.NewWire(t, nc)
				c.Send("%s", row.sent)
				if row.end {
					c.CloseWrite()
				}
				c.WantClosed()
				var want [stats.ProxyRefusals]uint64
				if row.why < stats.ProxyRefusals {
					want[row.why] = uint64(n + 1)
				}
				for why := range want {
					got := g.counted(func(c *stats.Counters) uint64 { return c.ProxyRefusals[why] })
					if got != want[why] {
						t.Errorf("counted %d times as %v, want %d", got, stats.ProxyRefusal(why), want[why])
					}
				}
			}
		})
	}
}

// TestProxyProtocolTrust: whether forwarded fields are believed depends on the client's address, not on the load balancer's,
// unless that speaks for itself.
func TestProxyProtocolTrust(t *testing.T) {
	t.Parallel()
	const request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Port: 1\r\n\r\n"
	for _, row := range []struct{ name, trusted, header, want string }{
		{"the load balancer is trusted", "127.0.0.0/8", headerV1, "for 192.0.2.1 real 192.0.2.1 proto http port 8443"},
		{"the client is trusted", "192.0.2.0/24", headerV1, "for 203.0.113.9, 192.0.2.1 real 192.0.2.1 proto http port 1"},
		{"the load balancer itself", "127.0.0.0/8", "PROXY UNKNOWN\r\n", "for 203.0.113.9, 127.0.0.1 real 127.0.0.1 proto http port 1"},
	} {
		g := newProxiedGateway(t, func(c *config.Config) { c.Forwarded.TrustedCIDRs = []string{row.trusted} })
		c := g.wire()
		c.Send("%s", row.header+request)
		if got := c.ReadAnswer("GET"); got.Text != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got.Text, row.want)
		}
	}
}

// TestProxyProtocolManyConnections, of which some are handed over to another loop, each with a client of its own, as the
// access log shows too.
func TestProxyProtocolManyConnections(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g := newProxiedGateway(t, func(c *config.Config) { c.AccessLog.Path = file })
	const clients = 100
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4000)
			c := g.wire()
			c.Send("%s", proxyproto.AppendV1(nil, from, headerTo))
			for range 2 {
				if got := c.Get("/"); !strings.Contains(got.Text, "for "+from.Addr().String()+" ") {
					t.Errorf("%v: %d %q", from, got.StatusCode, got.Text)
				}
			}
		})
	}
	all.Wait()
	for _, w := range g.workers {
		w.Post(w.Log.Flush)
	}
	seen := map[string]int{}
	servertest.Until(t, "the access log to be written", func() bool {
		b, _ := os.ReadFile(file)
		clear(seen)
		lines := 0
		for line := range strings.Lines(string(b)) {
			var e struct{ Remote string }
			if json.Unmarshal([]byte(line), &e) == nil {
				seen[e.Remote]++
				lines++
			}
		}
		return lines == 2*clients
	})
	for i := range clients {
		if from := fmt.Sprintf("192.0.2.%d:4000", i); seen[from] != 2 {
			t.Errorf("%s is %d times in the access log", from, seen[from])
		}
	}
}

// TestProxyProtocolFromHAProxy has HAProxy announce clients, in both versions, in front of every protocol.
func TestProxyProtocolFromHAProxy(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/haproxy") // Debian's place
	}
	if err != nil {
		t.Skip("haproxy is not installed:", err)
	}
	g := newProxiedGateway(t, nil)
	text := "global\n\tmaxconn 64\ndefaults\n\tmode tcp\n\ttimeout connect 30s\n\ttimeout client 60s\n\ttimeout server 60s\n\ttimeout check 30s\n"
	ports := map[string]string{}
	for _, version := range []string{"send-proxy", "send-proxy-v2"} {
		for scheme, to := range map[string]string{"http": g.addr, "https": g.secureAddr} {
			addr := servertest.FreeAddr(t)
			ports[version+scheme] = addr
			text += fmt.Sprintf("listen %s-%s\n\tbind %s\n\tserver gateway %s %s check check-send-proxy inter 50ms fall 1000\n", version, scheme, addr, to, version)
		}
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-db", "-q", "-f", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	giveUp := time.After(servertest.Timeout)
	for _, addr := range ports {
		for c, err := net.Dial("tcp", addr); ; c, err = net.Dial("tcp", addr) {
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-ended:
				t.Fatal("haproxy ended")
			case <-giveUp:
				t.Fatalf("haproxy does not listen: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	for _, version := range []string{"send-proxy", "send-proxy-v2"} {
		for _, down := range servertest.Downs {
			t.Run(version+", "+down.Name, func(t *testing.T) {
				addr := ports[version+down.Scheme]
				_, port, _ := net.SplitHostPort(addr)
				want := fmt.Sprintf("for 127.0.0.1 real 127.0.0.1 proto %s port %s", down.Scheme, port)
				if got := servertest.Get(t, down.Down(t), down.Scheme+"://"+addr+"/"); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}
