package routing_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// authority signs certificates for tests; one without a parent signs itself.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Unix(1600000000, 0), time.Unix(4000000000, 0)
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(1)
	}
	parent := &authority{template, key}
	if a != nil {
		parent = a
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// pair shows a with the certificates above it.
func (a *authority) pair(above ...*authority) *tls.Certificate {
	p := &tls.Certificate{Certificate: [][]byte{a.certificate.Raw}, PrivateKey: a.key, Leaf: a.certificate}
	for _, o := range above {
		p.Certificate = append(p.Certificate, o.certificate.Raw)
	}
	return p
}

func authorityNamed(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
}

// TestBackendTLS speaks TLS to an Endpoint.
func TestBackendTLS(t *testing.T) {
	root := (*authority)(nil).sign(t, authorityNamed("root"))
	other := (*authority)(nil).sign(t, authorityNamed("other"))
	between := root.sign(t, authorityNamed("between"))
	endpoint := between.sign(t, &x509.Certificate{DNSNames: []string{"web.test"}}).pair(between)
	client := other.sign(t, &x509.Certificate{})
	for _, row := range []struct {
		name string
		tls  routing.BackendTLS
		ok   bool
	}{
		{"anything goes", routing.BackendTLS{Name: "no.test"}, true},
		{"verified", routing.BackendTLS{Verify: true, Name: "web.test", Roots: root.pool(), Depth: 1}, true},
		{"verified, name sent", routing.BackendTLS{Verify: true, Name: "web.test", SendName: true, Roots: root.pool(), Depth: 1}, true},
		{"another name", routing.BackendTLS{Verify: true, Name: "no.test", Roots: root.pool(), Depth: 1}, false},
		{"another authority", routing.BackendTLS{Verify: true, Name: "web.test", Roots: other.pool(), Depth: 1}, false},
		{"the system's authorities", routing.BackendTLS{Verify: true, Name: "web.test", Depth: 1}, false},
		{"too deep", routing.BackendTLS{Verify: true, Name: "web.test", Roots: root.pool(), Depth: 0}, false},
		{"certificate shown", routing.BackendTLS{Name: "web.test", Certificate: client.pair()}, true},
		{"no such version", routing.BackendTLS{Name: "web.test", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*endpoint}, ClientAuth: tls.RequestClientCert,
				MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}})
			done := make(chan error, 1)
			go func() { done <- server.Handshake() }()
			err := tls.Client(near, row.tls.Config("h2", "http/1.1")).Handshake()
			near.Close()
			failed := <-done
			if (err == nil) != row.ok {
				t.Fatalf("handshake: %v, and at the Endpoint %v", err, failed)
			}
			if err != nil {
				return
			}
			state, name := server.ConnectionState(), ""
			if row.tls.SendName {
				name = row.tls.Name
			}
			if state.ServerName != name || state.NegotiatedProtocol != "h2" || (len(state.PeerCertificates) > 0) != (row.tls.Certificate != nil) {
				t.Errorf("name %q, protocol %q, %d certificates", state.ServerName, state.NegotiatedProtocol, len(state.PeerCertificates))
			}
		})
	}
	hidden := &routing.BackendTLS{Name: "web.test", Certificate: client.pair()}
	text, err := json.Marshal(hidden)
	if all := fmt.Sprintf("%v %+v %#v %s", hidden, *hidden, hidden, text); err != nil || strings.Contains(all, "PrivateKey") {
		t.Errorf("printed %s, error %v", all, err)
	}
}

func TestClientAuthVerify(t *testing.T) {
	root := (*authority)(nil).sign(t, authorityNamed("root"))
	between := root.sign(t, authorityNamed("between"))
	leaf := func(parent *authority, serial int64) *x509.Certificate {
		return parent.sign(t, &x509.Certificate{SerialNumber: big.NewInt(serial), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).certificate
	}
	revoked := routing.Revocations{}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Unix(1, 0)}}}, root.certificate, root.key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	revoked.Add(list)
	a := &routing.ClientAuth{Mode: routing.ClientAuthOn, Roots: root.pool(), Depth: 1, Revoked: revoked}
	shallow := &routing.ClientAuth{Mode: routing.ClientAuthOn, Roots: root.pool()}
	now, late := time.Unix(1700000000, 0), time.Unix(4100000000, 0)
	server := root.sign(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).certificate
	stranger := leaf((*authority)(nil).sign(t, authorityNamed("root")), 2)
	for _, row := range []struct {
		name  string
		auth  *routing.ClientAuth
		shown []*x509.Certificate
		now   time.Time
		ok    bool
	}{
		{"good", a, []*x509.Certificate{leaf(root, 2)}, now, true},
		{"none", a, nil, now, false},
		{"another authority of the same name", a, []*x509.Certificate{stranger}, now, false},
		{"expired", a, []*x509.Certificate{leaf(root, 2)}, late, false},
		{"revoked", a, []*x509.Certificate{leaf(root, 7)}, now, false},
		{"the same number of another issuer", a, []*x509.Certificate{leaf(between, 7), between.certificate}, now, true},
		{"too deep", shallow, []*x509.Certificate{leaf(between, 2), between.certificate}, now, false},
		{"for servers", a, []*x509.Certificate{server}, now, false},
		{"no roots", &routing.ClientAuth{}, []*x509.Certificate{leaf(root, 2)}, now, false},
	} {
		if _, err := row.auth.Verify(row.shown, row.now); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
