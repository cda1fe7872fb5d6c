package routing

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// BackendTLS configures TLS to the Endpoints of a Backend of protocol HTTPS or GRPCS (annotations
// proxy-ssl-*). Immutable once published, safe for concurrent use, and shared by consecutive
// Backends while nothing of it changes. No way of printing it shows the private key.
type BackendTLS struct {
	// Verify has the Endpoint's certificate checked against Roots and Name. Without it any
	// certificate is taken, as by ingress-nginx's default.
	Verify bool
	// Roots are the authorities; nil for the system's.
	Roots *x509.CertPool
	// Name is what the certificate must be good for, sent as SNI where SendName is true (RFC 6066
	// section 3). Never empty.
	Name     string
	SendName bool
	// Depth is the largest number of intermediate certificates between the Endpoint's and the
	// authority's.
	Depth int
	// Certificate is shown to an Endpoint that asks for one; nil for none.
	Certificate *tls.Certificate `json:"-"`
	// MinVersion and MaxVersion are as in tls.Config; 0 is crypto/tls's default.
	MinVersion, MaxVersion uint16
	// CipherSuites are for TLS 1.2 and below; nil is crypto/tls's default.
	CipherSuites []uint16
	// Secret is where Roots and Certificate come from; the zero value for none.
	Secret ObjectName
	// Identity is equal where all of the above is: connections are not shared between differing ones.
	Identity [sha256.Size]byte
}

// Config returns a configuration for connections to the Endpoints that offers the protocols, the best
// first. The caller owns it; one for all connections makes resumption work (ClientSessionCache).
func (t *BackendTLS) Config(protocols ...string) *tls.Config {
	c := &tls.Config{
		NextProtos: protocols, RootCAs: t.Roots,
		MinVersion: t.MinVersion, MaxVersion: t.MaxVersion, CipherSuites: t.CipherSuites,
		// crypto/tls verifies the name that it sends; Name may differ from that, so verify is
		// called instead, for resumed connections too.
		InsecureSkipVerify: true,
	}
	if t.SendName {
		c.ServerName = t.Name
	}
	if t.Verify {
		c.VerifyConnection = t.verify
	}
	if t.Certificate != nil {
		// Not Certificates: crypto/tls would hold the certificate back where the Endpoint's list of
		// authorities does not name the issuer; nginx shows it.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.Certificate, nil }
	}
	return c
}

// verify checks the certificates that the Endpoint has shown.
func (t *BackendTLS) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("verify Endpoint: it shows no certificate")
	}
	chains, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: t.Name, Roots: t.Roots, Intermediates: poolOf(state.PeerCertificates[1:]),
	})
	if err != nil {
		return fmt.Errorf("verify Endpoint: %w", err)
	}
	if !withinDepth(chains, t.Depth) {
		return fmt.Errorf("verify Endpoint: more than %d intermediate certificates", t.Depth)
	}
	return nil
}

func poolOf(certificates []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return pool
}

// withinDepth reports whether one of the chains has at most so many certificates between its ends.
func withinDepth(chains [][]*x509.Certificate, depth int) bool {
	for _, chain := range chains {
		if len(chain)-2 <= depth {
			return true
		}
	}
	return false
}

// Equal reports whether connections made by t can serve requests for o; nil is no TLS.
func (t *BackendTLS) Equal(o *BackendTLS) bool {
	return t == o || t != nil && o != nil && t.Identity == o.Identity
}

// String is the line of Dump, without its Backend.
func (t BackendTLS) String() string {
	var b strings.Builder
	if t.Verify {
		fmt.Fprintf(&b, "verify %s depth %d roots ", policy.Word(t.Name), t.Depth)
		if t.Roots == nil {
			b.WriteString("system")
		} else {
			b.WriteString(policy.Word(t.Secret.String()))
		}
	} else {
		b.WriteString("no verification")
	}
	if t.SendName {
		b.WriteString(" SNI " + policy.Word(t.Name))
	}
	if t.Certificate != nil {
		fmt.Fprintf(&b, " certificate %s", policy.Word(t.Secret.String()))
	}
	if t.MinVersion != 0 || t.MaxVersion != 0 {
		fmt.Fprintf(&b, " versions %s-%s", versionName(t.MinVersion), versionName(t.MaxVersion))
	}
	for i, suite := range t.CipherSuites {
		b.WriteString([]string{" ciphers ", ","}[min(i, 1)] + tls.CipherSuiteName(suite))
	}
	if t.Secret != (ObjectName{}) {
		b.WriteString(" id " + hex.EncodeToString(t.Identity[:4]))
	}
	return b.String()
}

// GoString keeps %#v from printing the key.
func (t BackendTLS) GoString() string { return t.String() }

func versionName(v uint16) string {
	if v == 0 {
		return "default"
	}
	return strings.ReplaceAll(tls.VersionName(v), " ", "")
}
