package routing_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// certificateOf makes a Certificate that is signed by its own key.
func certificateOf(t *testing.T, key crypto.Signer, hosts ...string) *routing.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: hosts,
		NotBefore: time.Unix(1600000000, 0), NotAfter: time.Unix(4000000000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return routing.NewCertificate(routing.ObjectName{Namespace: "shop", Name: "web"},
		&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf})
}

func TestCertificate(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		key  crypto.Signer
		want string
	}{
		{ec, "ECDSA P-256"},
		{rs, "RSA 2048"},
		{ed, "Ed25519"},
	} {
		c := certificateOf(t, row.key, "*.shop.example", "shop.example")
		const until = " until 2096-10-02T07:06:40Z\n"
		want := "certificate shop/web " + row.want + until + "  host *.shop.example\n  host shop.example\n" +
			"default certificate shop/web " + row.want + until
		list := []*routing.Certificate{c}
		names := (*routing.CertificateIndex)(nil).With(map[string][]*routing.Certificate{"*.shop.example": list, "shop.example": list})
		if got := dump(t, &routing.Snapshot{Certificates: list, ServerNames: names, DefaultCertificate: c}); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestCertificateHidesItsKey: no usual way of printing shows more than the line of Dump.
func TestCertificateHidesItsKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := certificateOf(t, ec, "shop.example")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		for _, what := range []any{c, *c, []*routing.Certificate{c}, &routing.Snapshot{Certificates: []*routing.Certificate{c}}} {
			got := fmt.Sprintf(format, what)
			if strings.Contains(got, "PrivateKey") || len(got) > 500 {
				t.Errorf("%s of a %T: %s", format, what, got)
			}
		}
	}
	got, err := json.Marshal(c)
	if err != nil || strings.Contains(string(got), "PrivateKey") {
		t.Errorf("JSON %s, error %v", got, err)
	}
}
