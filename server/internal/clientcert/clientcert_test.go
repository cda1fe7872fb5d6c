package clientcert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestVerifierPanics: a certificate that makes the verifier panic is a bad one, and nothing more.
func TestVerifierPanics(t *testing.T) {
	auth := &routing.ClientAuth{Mode: routing.ClientAuthOn}
	c := New(auth)
	_, check := c.ForHandshake()
	check(tls.ConnectionState{PeerCertificates: []*x509.Certificate{nil}})
	if c.Judge(auth) != Invalid || !bytes.Contains(c.Lines(), []byte("NONE")) {
		t.Errorf("verdict %v, %q", c.Judge(auth), c.Lines())
	}
}
