package server

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/clientcert"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// selfSigned makes a client's certificate without an authority.
func selfSigned(t *testing.T, change func(*x509.Certificate)) *tls.Certificate {
	key := servertest.ECKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(servertest.Serials.Add(1)), Subject: pkix.Name{CommonName: "self"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// showing makes a client show a certificate to every server that asks.
func showing(c *tls.Certificate) *tls.Config {
	return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }}
}

// TestPassedOnIsBounded: a client's certificate adds no more to each request than an ordinary one, and one that does not fit
// is a bad one.
func TestPassedOnIsBounded(t *testing.T) {
	t.Parallel()
	ca := servertest.NewAuthority(t, "ca")
	names := func(n int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.DNSNames = nil
			for range n {
				c.DNSNames = append(c.DNSNames, strings.Repeat("n", 63)+".test")
			}
		}
	}
	organisation := func(c *x509.Certificate) { c.Subject.Organization = []string{strings.Repeat("o", 3000)} }
	longName := ca.Client("good")
	key := servertest.ECKey(t)
	longName.Leaf = ca.Sign(nil, key, &x509.Certificate{
		Subject: pkix.Name{CommonName: "good", Organization: []string{strings.Repeat("o", 3000)}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	longName.Certificate, longName.PrivateKey = [][]byte{longName.Leaf.Raw}, key
	pass := func(a *routing.ClientAuth) { a.PassCertificate = true }
	for _, row := range []struct {
		name   string
		mode   routing.ClientAuthMode
		shown  *tls.Certificate
		status int
		body   string // a part of it
	}{
		{"large", routing.ClientAuthOptionalNoCA, selfSigned(t, names(640)), 200, "Ssl-Client-Verify=FAILED:the certificate is larger"},
		{"large, must be good", routing.ClientAuthOn, selfSigned(t, names(640)), 400, ""},
		{"largest", routing.ClientAuthOptionalNoCA, selfSigned(t, names(100)), 200, "Ssl-Client-Cert=-----BEGIN"},
		{"long name", routing.ClientAuthOptionalNoCA, selfSigned(t, organisation), 200, "Ssl-Client-Verify=FAILED:the certificate's names"},
		{"long name, good", routing.ClientAuthOn, longName, 400, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var largest atomic.Int64
			app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
				n := 0
				for name, values := range r.Header {
					for _, v := range values {
						n += len(name) + len(v)
						if strings.HasPrefix(name, "Ssl-") {
							_, _ = w.Write([]byte(name + "=" + v + "\n"))
						}
					}
				}
				largest.Store(max(largest.Load(), int64(n)))
			})
			g := newGateway(t, nil, Options{})
			g.publish(&routing.Backend{}, app, nil, map[string][]*tls.Certificate{"a.test": {ca.Server("a.test")}}, site{name: "a.test", auth: asks(row.mode, ca, pass)})
			c := g.mustTLS("a.test", showing(row.shown))
			got := c.get("a.test", "/")
			if got.StatusCode != row.status || !strings.Contains(got.Text, row.body) {
				t.Errorf("got %d %.200q", got.StatusCode, got.Text)
			}
			if most := int64(2*clientcert.MaxName + 2*clientcert.MaxCertificate); largest.Load() > most {
				t.Errorf("a head of %d bytes went to the Backend, want at most %d", largest.Load(), most)
			}
			c.Close()
			// The pooled connection has dropped it.
			servertest.Until(t, "the connection to end", func() bool {
				left := 0
				for _, w := range g.workers {
					done := make(chan struct{})
					w.Post(func() {
						defer close(done)
						left += w.down.OpenConns()
						for _, fault := range append(w.AuditPools(), w.down.AuditConns()...) {
							if strings.Contains(fault, "pooled") {
								t.Error(fault)
							}
						}
					})
					<-done
				}
				return left == 0
			})
		})
	}
}

// TestChainsAreBounded: more certificates than can make a chain are not verified, and many more not even parsed.
func TestChainsAreBounded(t *testing.T) {
	t.Parallel()
	ca := servertest.NewAuthority(t, "ca")
	g := newGateway(t, nil, Options{})
	g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, map[string][]*tls.Certificate{"*.test": {ca.Server("*.test")}},
		site{name: "on.test", auth: asks(routing.ClientAuthOn, ca, nil)}, site{name: "any.test", auth: asks(routing.ClientAuthOptionalNoCA, ca, nil)})
	for _, row := range []struct {
		extra  int
		on     int
		any    string
		refuse bool
	}{
		{1, 200, "SUCCESS", false},
		{2, 200, "SUCCESS", false}, // such as with the authority's own
		{3, 400, "FAILED:verify client: it shows more than 3 certificates", false},
		{40, 400, "FAILED:verify client: it shows more than 3 certificates", false},
		{200, 0, "", true},
	} {
		client := ca.Client("good")
		other := ca.Below("i")
		for range row.extra {
			client.Certificate = append(client.Certificate, other.Leaf.Raw)
		}
		for _, host := range []string{"on.test", "any.test"} {
			if row.refuse {
				conn, err := g.dialTLS(host, showing(client))
				if err == nil {
					// TLS 1.3: the client sees the alert when it reads.
					if _, err := conn.Read(make([]byte, 1)); err == nil {
						t.Errorf("%s, %d more: not refused", host, row.extra)
					}
					conn.Close()
				}
				continue
			}
			conn := g.mustTLS(host, showing(client))
			got := conn.get(host, "/")
			if host == "on.test" && got.StatusCode != row.on || host == "any.test" && !strings.Contains(got.Text, "Ssl-Client-Verify="+row.any+"\n") {
				t.Errorf("%s, %d more: got %d %q", host, row.extra, got.StatusCode, got.Text)
			}
			conn.Close()
		}
	}
}

// TestVerifiedInTurn: a good certificate is accepted however many others are to be verified, and whatever else works off the
// loops.
func TestVerifiedInTurn(t *testing.T) {
	t.Parallel()
	ca := servertest.NewAuthority(t, "ca")
	g := newGateway(t, nil, Options{})
	g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, map[string][]*tls.Certificate{"a.test": {ca.Server("a.test")}}, site{name: "a.test", auth: asks(routing.ClientAuthOn, ca, nil)})
	for range cap(g.Server.parking) {
		g.Server.parking <- struct{}{}
	}
	defer func() {
		for range cap(g.Server.parking) {
			<-g.Server.parking
		}
	}()
	conn := g.mustTLS("a.test", showing(ca.Client("good")))
	defer conn.Close()
	if got := conn.get("a.test", "/"); got.StatusCode != 200 {
		t.Errorf("got %d", got.StatusCode)
	}
}

// TestExpiresOnLiveConnection: a certificate is good until it expires, and not until its connection ends.
func TestExpiresOnLiveConnection(t *testing.T) {
	t.Parallel()
	ca := servertest.NewAuthority(t, "ca")
	g := newGateway(t, nil, Options{})
	g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, map[string][]*tls.Certificate{"*.test": {ca.Server("*.test")}},
		site{name: "on.test", auth: asks(routing.ClientAuthOn, ca, nil)}, site{name: "any.test", auth: asks(routing.ClientAuthOptionalNoCA, ca, nil)})
	key := servertest.ECKey(t)
	expires := time.Now().Add(3 * time.Second).Truncate(time.Second)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(servertest.Serials.Add(1)), Subject: pkix.Name{CommonName: "soon"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: expires,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca.Leaf, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	client := showing(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	on, any := g.mustTLS("on.test", client), g.mustTLS("any.test", client)
	defer on.Close()
	defer any.Close()
	if got := any.get("any.test", "/"); !strings.Contains(got.Text, "Verify=SUCCESS") && time.Now().Before(expires) {
		t.Fatalf("before its time: %q", got.Text)
	}
	<-time.After(time.Until(expires))
	servertest.Until(t, "the certificate to expire", func() bool {
		got := any.get("any.test", "/")
		return strings.Contains(got.Text, "Verify=FAILED:the certificate has expired") && strings.Contains(got.Text, "Subject-Dn=CN=soon")
	})
	if got := on.get("on.test", "/"); got.StatusCode != 400 {
		t.Errorf("where a good one is needed: %d", got.StatusCode)
	}
}
