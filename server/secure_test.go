package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

func TestServerNames(t *testing.T) {
	wantNoLeaks(t)
	ca := servertest.NewAuthority(t, "ca")
	// The subject tells them apart; the Snapshot decides which names one is for.
	named := func(name string) *tls.Certificate { return ca.Issue(servertest.ECKey(t), name, "x.test") }
	rsa := ca.Issue(servertest.RSAKey(), "rsa", "two.test")
	certificates := map[string][]*tls.Certificate{
		"a.test": {named("exact")}, "*.b.test": {named("wildcard")}, "x.b.test": {named("exact below")}, "two.test": {named("ecdsa"), rsa},
	}
	rsaOnly := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	for _, strict := range []bool{false, true} {
		g := newGateway(t, func(c *config.Config) { c.TLS.SNIStrict = strict }, Options{})
		g.publish(&routing.Backend{}, servertest.EchoBackend(t), named("default"), certificates, site{name: ""})
		unknown := "default"
		if strict {
			unknown = "remote error: tls: unrecognized name"
		}
		for _, row := range []struct {
			name   string
			config *tls.Config
			want   string
		}{
			{"a.test", nil, "exact"},
			{"A.Test", nil, "exact"},
			{"x.b.test", nil, "exact below"},
			{"y.b.test", nil, "wildcard"},
			{"z.y.b.test", nil, unknown}, // a wildcard is one label
			{"b.test", nil, unknown},
			{"other.test", nil, unknown},
			{"", nil, unknown},
			{"two.test", nil, "ecdsa"},
			{"two.test", rsaOnly, "rsa"},
			{"a.test", rsaOnly, "remote error: tls: handshake failure"},
		} {
			if got := g.nameShown(row.name, row.config); got != row.want {
				t.Errorf("strict %v: %q got %q, want %q", strict, row.name, got, row.want)
			}
		}
	}
}

// TestProtocolsAndCiphers: the versions and suites that the settings and a Host's own suites leave.
func TestProtocolsAndCiphers(t *testing.T) {
	wantNoLeaks(t)
	app, pair := servertest.EchoBackend(t), servertest.NewAuthority(t, "ca").Server("a.test")
	const aes256, chacha = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
	for _, row := range []struct {
		protocols, ciphers string
		suites             []uint16 // the Host's
		low, high          uint16   // the client's
		want               string
	}{
		{"TLSv1.2 TLSv1.3", "", nil, 0, 0, "TLS 1.3"},
		{"TLSv1.2", "", nil, 0, 0, "TLS 1.2"},
		{"TLSv1.3", "", nil, 0, tls.VersionTLS12, "remote error: tls: protocol version not supported"},
		{"TLSv1.2 TLSv1.3", "", nil, tls.VersionTLS10, tls.VersionTLS11, "remote error: tls: protocol version not supported"},
		{"TLSv1.2 TLSv1.3", "ECDHE-ECDSA-AES256-GCM-SHA384", nil, 0, tls.VersionTLS12, "TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
		{"TLSv1.2 TLSv1.3", "ECDHE-ECDSA-AES256-GCM-SHA384", []uint16{chacha}, 0, tls.VersionTLS12, "TLS 1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
	} {
		g := newGateway(t, func(c *config.Config) { c.TLS.Protocols, c.TLS.Ciphers = row.protocols, row.ciphers }, Options{})
		g.publish(&routing.Backend{}, app, nil, map[string][]*tls.Certificate{"a.test": {pair}}, site{name: "a.test", suites: row.suites})
		got := ""
		conn, err := g.dialTLS("a.test", &tls.Config{MinVersion: row.low, MaxVersion: row.high})
		if err != nil {
			got = err.Error()
		} else {
			state := conn.ConnectionState()
			got = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
			if body := conn.get("a.test", "/").StatusCode; body != 200 {
				t.Errorf("%+v: status %d", row, body)
			}
			conn.Close()
		}
		if !strings.HasPrefix(got, row.want) {
			t.Errorf("%+v: got %q", row, got)
		}
	}
}

// TestHotSwap: a new certificate is for new connections, and the open ones go on.
func TestHotSwap(t *testing.T) {
	wantNoLeaks(t)
	ca, app := servertest.NewAuthority(t, "ca"), servertest.EchoBackend(t)
	g := newGateway(t, nil, Options{})
	swap := func(name string) {
		g.publish(&routing.Backend{}, app, nil, map[string][]*tls.Certificate{"a.test": {ca.Issue(servertest.ECKey(t), name, "a.test")}}, site{name: "a.test"})
	}
	swap("old")
	one, client := g.mustTLS("a.test", nil), servertest.HTTP2Client(t)
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "a.test"
	ask := func() (shown string) {
		t.Helper()
		req, _ := http.NewRequest("GET", "https://"+g.secureAddr+"/", nil)
		req.Host = "a.test"
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
			t.Errorf("%s, status %d", resp.Proto, resp.StatusCode)
		}
		return resp.TLS.PeerCertificates[0].Subject.CommonName
	}
	ask()
	for i := range 10 {
		swap(fmt.Sprint("new ", i))
		if got := one.get("a.test", "/"); got.StatusCode != 200 || got.Close {
			t.Errorf("the open HTTP/1.1 connection got %d, close %v", got.StatusCode, got.Close)
		}
		if got := ask(); got != "old" {
			t.Errorf("the open HTTP/2 connection has %q", got)
		}
		if got := g.nameShown("a.test", nil); got != fmt.Sprint("new ", i) {
			t.Errorf("a new connection was shown %q", got)
		}
	}
}

// TestResumption: sessions are resumed on either loop, across a reload and for their own name only.
func TestResumption(t *testing.T) {
	wantNoLeaks(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := config.Default()
		g := newGateway(t, nil, Options{})
		pair := servertest.NewAuthority(t, "ca").Server("a.test", "b.test")
		g.publish(&routing.Backend{}, servertest.EchoBackend(t), nil, map[string][]*tls.Certificate{"a.test": {pair}, "b.test": {pair}}, site{name: "a.test"}, site{name: "b.test"})
		cache := tls.NewLRUClientSessionCache(10)
		session := &tls.Config{ClientSessionCache: cache, MaxVersion: version}
		resumed := func(name string) bool {
			t.Helper()
			conn := g.mustTLS(name, session)
			defer conn.Close()
			conn.get(name, "/") // a ticket comes behind the handshake
			return conn.ConnectionState().DidResume
		}
		if resumed("a.test") {
			t.Fatal("resumed nothing")
		}
		for range 20 { // by chance or by count they come to both loops
			if !resumed("a.test") {
				t.Errorf("%s: a full handshake", tls.VersionName(version))
			}
		}
		c.Threads = 2
		g.Reload(c)
		g.settle()
		if !resumed("a.test") {
			t.Errorf("%s: a reload forgot the sessions", tls.VersionName(version))
		}
		if resumed("b.test") {
			t.Errorf("%s: another name's session was resumed", tls.VersionName(version))
		}
		c.TLS.SessionTickets = false
		g.Reload(c)
		g.settle()
		if resumed("a.test") {
			t.Errorf("%s: resumed without tickets", tls.VersionName(version))
		}
		both := 0
		for _, w := range g.workers {
			n := make(chan uint64)
			w.Post(func() { n <- w.Shard.ConnectionsAccepted })
			if <-n > 0 {
				both++
			}
		}
		if both != 2 {
			t.Errorf("only %d loops had connections", both)
		}
	}
}

// TestOpenSSLAndCurl: other implementations, where they are installed.
func TestOpenSSLAndCurl(t *testing.T) {
	wantNoLeaks(t)
	g := newGateway(t, nil, Options{})
	g.publish(&routing.Backend{}, servertest.EchoBackend(t), nil, map[string][]*tls.Certificate{"a.test": {servertest.NewAuthority(t, "ca").Server("a.test")}}, site{name: "a.test"})
	for _, version := range []string{"1.2", "1.3"} {
		for _, protocol := range []string{"1.1", "2"} {
			if curl, err := exec.LookPath("curl"); err != nil {
				t.Log("curl is not installed")
			} else {
				out, err := exec.Command(curl, "-sk", "--max-time", "10", "--http"+protocol, "--tls-max", version, "--resolve", "a.test:"+g.secureAddr[len("127.0.0.1:"):]+":127.0.0.1",
					"-w", "%{http_code} %{http_version}", "-o", "/dev/null", "https://a.test:"+g.secureAddr[len("127.0.0.1:"):]+"/").CombinedOutput()
				if err != nil || string(out) != "200 "+protocol {
					t.Errorf("curl over HTTP/%s and TLS %s: %s, %v", protocol, version, out, err)
				}
			}
		}
		openssl, err := exec.LookPath("openssl")
		if err != nil {
			t.Log("openssl is not installed")
			continue
		}
		cmd := exec.Command(openssl, "s_client", "-quiet", "-connect", g.secureAddr, "-servername", "a.test", "-tls"+strings.Replace(version, ".", "_", 1), "-alpn", "http/1.1")
		cmd.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
		out, _ := cmd.Output() // it may report that the other side closed first
		if !strings.HasPrefix(string(out), "HTTP/1.1 200 ") {
			t.Errorf("openssl with TLS %s: %.200q", version, out)
		}
	}
}
