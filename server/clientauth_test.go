package server

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// asks makes a ClientAuth as the informer does.
func asks(mode routing.ClientAuthMode, ca *servertest.Authority, change func(*routing.ClientAuth)) *routing.ClientAuth {
	a := &routing.ClientAuth{Mode: mode, Roots: ca.Pool(), Depth: 1}
	if change != nil {
		change(a)
	}
	a.Identity = sha256.Sum256(fmt.Append(nil, a.Mode, a.Depth, string(ca.Leaf.Raw), a.Revoked, a.MatchName))
	return a
}

// revoking is an authority's list of revoked certificates.
func revoking(t *testing.T, ca *servertest.Authority, gone ...*x509.Certificate) routing.Revocations {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range gone {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.Leaf, ca.Key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	r := routing.Revocations{}
	r.Add(parsed)
	return r
}

func TestClientCertificates(t *testing.T) {
	wantNoLeaks(t)
	ca, other := servertest.NewAuthority(t, "ca"), servertest.NewAuthority(t, "other ca")
	good, foreign, gone := ca.Client("good"), other.Client("foreign"), ca.Client("gone")
	deep := ca.Below("i1").Below("i2").Client("deep")
	near := ca.Below("i").Client("near")
	forServers := ca.Server("a.test")
	const ok = "Ssl-Client-Issuer-Dn=CN=ca\nSsl-Client-Subject-Dn=CN=good\nSsl-Client-Verify=SUCCESS\n"
	on := asks(routing.ClientAuthOn, ca, nil)
	optional, any := asks(routing.ClientAuthOptional, ca, nil), asks(routing.ClientAuthOptionalNoCA, ca, nil)
	crl := asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) { a.Revoked = revoking(t, ca, gone.Leaf) })
	named := asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) { a.MatchName = matching(t, "^(?:CN=goo)") })
	page := asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) { a.ErrorPage = "https://help.test/tls" })
	pass := asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) { a.PassCertificate = true })
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Leaf.Raw})
	for _, row := range []struct {
		name   string
		auth   *routing.ClientAuth
		client *tls.Certificate
		status int
		body   string // how it begins
	}{
		{"on, good", on, good, 200, ok},
		{"on, with an intermediate", on, near, 200, "Ssl-Client-Issuer-Dn=CN=i\nSsl-Client-Subject-Dn=CN=near\nSsl-Client-Verify=SUCCESS\n"},
		{"on, none", on, nil, 400, ""},
		{"on, wrong authority", on, foreign, 400, ""},
		{"on, too deep", on, deep, 400, ""},
		{"on, a server's", on, forServers, 400, ""},
		{"optional, good", optional, good, 200, ok},
		{"optional, none", optional, nil, 200, "Ssl-Client-Verify=NONE\n"},
		{"optional, wrong authority", optional, foreign, 400, ""},
		{"optional_no_ca, none", any, nil, 200, "Ssl-Client-Verify=NONE\n"},
		{"optional_no_ca, wrong authority", any, foreign, 200, "Ssl-Client-Issuer-Dn=CN=other ca\nSsl-Client-Subject-Dn=CN=foreign\nSsl-Client-Verify=FAILED:"},
		{"revoked", crl, gone, 400, ""},
		{"not revoked", crl, good, 200, ok},
		{"name", named, good, 200, ok},
		{"other name", named, near, 403, ""},
		{"error page, none", page, nil, 302, ""},
		{"error page, good", page, good, 200, ok},
		{"passed on", pass, good, 200, "Ssl-Client-Cert=" + strings.ReplaceAll(url.QueryEscape(string(block)), "+", "%20") + "\n" + ok},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGateway(t, nil, Options{})
			g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, map[string][]*tls.Certificate{"a.test": {ca.Server("a.test")}}, site{name: "a.test", auth: row.auth})
			// A resumed session must come to the same verdict.
			c := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			if row.client != nil {
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return row.client, nil }
			}
			for round := range 3 {
				conn := g.mustTLS("a.test", c)
				for range 2 {
					got := conn.get("a.test", "/", "ssl-client-verify: SUCCESS", "SSL-Client-Subject-DN: CN=boss", "ssl_client_verify: SUCCESS", "Ssl-Client-Other: x")
					if got.StatusCode != row.status || !strings.HasPrefix(got.Text, row.body) || strings.Contains(got.Text, "boss") || strings.Contains(got.Text, "Other") ||
						strings.Contains(got.Text, "client_verify") {
						t.Errorf("round %d: got %d %q", round, got.StatusCode, got.Text)
					}
					if want := row.auth.ErrorPage; got.StatusCode == 302 && got.Header.Get("Location") != want {
						t.Errorf("redirected to %q", got.Header.Get("Location"))
					}
					if got.Close {
						break
					}
				}
				if resumed := conn.ConnectionState().DidResume; resumed != (round > 0) {
					t.Errorf("round %d: resumed %v", round, resumed)
				}
				conn.Close()
			}
		})
	}
}

// TestRevokedWhileResumable: a session from before a revocation does not let its client in.
func TestRevokedWhileResumable(t *testing.T) {
	wantNoLeaks(t)
	ca := servertest.NewAuthority(t, "ca")
	client := ca.Client("gone")
	pair, app := ca.Server("a.test"), servertest.FieldsBackend(t)
	g := newGateway(t, nil, Options{})
	serve := func(auth *routing.ClientAuth) {
		g.publish(&routing.Backend{}, app, nil, map[string][]*tls.Certificate{"a.test": {pair}}, site{name: "a.test", auth: auth})
	}
	serve(asks(routing.ClientAuthOn, ca, nil))
	c := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1), Certificates: []tls.Certificate{*client}}
	open := g.mustTLS("a.test", c)
	if got := open.get("a.test", "/"); got.StatusCode != 200 {
		t.Fatalf("before: %d", got.StatusCode)
	}
	serve(asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) { a.Revoked = revoking(t, ca, client.Leaf) }))
	if got := open.get("a.test", "/"); got.StatusCode != 421 {
		t.Errorf("the connection from before the revocation got %d, want 421", got.StatusCode)
	}
	if got := g.mustTLS("a.test", c).get("a.test", "/"); got.StatusCode != 400 {
		t.Errorf("a new connection got %d, want 400", got.StatusCode)
	}
}

// TestMisdirectedByRules: a connection that was opened under another name is misdirected to a Host with other rules for TLS.
func TestMisdirectedByRules(t *testing.T) {
	wantNoLeaks(t)
	const strict, loose = tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	g := newGateway(t, nil, Options{})
	g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, map[string][]*tls.Certificate{"*.test": {servertest.NewAuthority(t, "ca").Server("*.test")}},
		site{name: "open.test"}, site{name: "pass.test", passes: true}, site{name: "strict.test", suites: []uint16{strict}})
	for _, row := range []struct {
		version, suite uint16
		host           string
		status         int
	}{
		{tls.VersionTLS13, 0, "open.test", 200},
		{tls.VersionTLS13, 0, "pass.test", 421},
		{tls.VersionTLS13, 0, "strict.test", 200}, // whose suites are not configurable
		{tls.VersionTLS12, loose, "strict.test", 421},
		{tls.VersionTLS12, strict, "strict.test", 200},
	} {
		c := &tls.Config{MaxVersion: row.version, CipherSuites: []uint16{row.suite}}
		if got := g.mustTLS("open.test", c).get(row.host, "/"); got.StatusCode != row.status {
			t.Errorf("%s with %s on a connection for open.test: %d, want %d", row.host, tls.VersionName(row.version), got.StatusCode, row.status)
		}
	}
	// Clear text is no TLS connection.
	c := g.wire()
	c.Send("GET / HTTP/1.1\r\nHost: strict.test\r\n\r\n")
	if got := c.ReadAnswer("GET"); got.StatusCode != 200 {
		t.Errorf("clear text: %d", got.StatusCode)
	}
}

// TestMisdirected: a certificate that was shown to one Host proves nothing to another.
func TestMisdirected(t *testing.T) {
	wantNoLeaks(t)
	ca, other := servertest.NewAuthority(t, "ca"), servertest.NewAuthority(t, "other ca")
	g := newGateway(t, nil, Options{})
	same := asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) { a.PassCertificate = true })
	g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, map[string][]*tls.Certificate{"*.test": {ca.Server("*.test")}},
		site{name: "open.test"}, site{name: "a.test", auth: asks(routing.ClientAuthOn, ca, nil)}, site{name: "same.test", auth: same},
		site{name: "b.test", auth: asks(routing.ClientAuthOn, other, nil)}, site{name: "maybe.test", auth: asks(routing.ClientAuthOptional, ca, nil)})
	client := ca.Client("good")
	for _, row := range []struct {
		name, host string
		status     int
	}{
		{"a.test", "a.test", 200},
		{"a.test", "open.test", 200}, // asks for nothing
		{"a.test", "b.test", 421},
		{"a.test", "maybe.test", 421},
		{"a.test", "same.test", 200}, // verified alike
		{"open.test", "a.test", 421},
		{"open.test", "maybe.test", 421},
		{"unknown.test", "a.test", 421},
	} {
		conn := g.mustTLS(row.name, &tls.Config{Certificates: []tls.Certificate{*client}})
		if got := conn.get(row.host, "/"); got.StatusCode != row.status {
			t.Errorf("HTTP/1.1, opened for %s, asked for %s: %d, want %d", row.name, row.host, got.StatusCode, row.status)
		}
		conn.Close()
		two := servertest.HTTP2Client(t)
		c := two.Transport.(*http.Transport).TLSClientConfig
		c.ServerName, c.Certificates = row.name, []tls.Certificate{*client}
		for _, host := range []string{row.name, row.host} {
			req, _ := http.NewRequest("GET", "https://"+g.secureAddr+"/", nil)
			req.Host = host
			resp, err := two.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if host == row.host && resp.StatusCode != row.status {
				t.Errorf("HTTP/2, opened for %s, asked for %s: %d, want %d", row.name, row.host, resp.StatusCode, row.status)
			}
		}
		two.CloseIdleConnections()
	}
	// A connection in clear text shows no certificate.
	c := g.wire()
	for host, want := range map[string]int{"a.test": 400, "maybe.test": 400, "open.test": 200} {
		c.Send("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		if got := c.ReadAnswer("GET"); got.StatusCode != want {
			t.Errorf("clear text for %s: %d, want %d", host, got.StatusCode, want)
		}
	}
}

// TestClaimedClient: where no client certificates are asked for, only a trusted proxy can claim one, and not by a name that
// becomes the right one by folding.
func TestClaimedClient(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		trusted []string
		want    string
	}{
		{nil, ""},
		{[]string{"127.0.0.0/8"}, "Ssl-Client-Verify=SUCCESS\n"},
	} {
		g := newGateway(t, func(c *config.Config) { c.Forwarded.TrustedCIDRs = row.trusted }, Options{})
		g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, nil, site{name: "a.test"})
		c := g.wire()
		c.Send("GET / HTTP/1.1\r\nHost: a.test\r\nssl-client-verify: SUCCESS\r\nSSL_CLIENT_VERIFY: SUCCESS\r\n\r\n")
		if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.Text != row.want {
			t.Errorf("trusted %v: got %d %q", row.trusted, got.StatusCode, got.Text)
		}
	}
}
