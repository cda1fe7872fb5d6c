package clientcert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestVerifierPanics: a certificate that the verifier cannot stand is a bad one, and nothing more.
func TestVerifierPanics(t *testing.T) {
	auth := &routing.ClientAuth{Mode: routing.ClientAuthOn}
	c := New(auth)
	_, check := c.Asked()
	check(tls.ConnectionState{PeerCertificates: []*x509.Certificate{nil}})
	if c.Judge(auth) != NoGood || !bytes.Contains(c.Lines(), []byte("NONE")) {
		t.Errorf("verdict %v, %q", c.Judge(auth), c.Lines())
	}
}
