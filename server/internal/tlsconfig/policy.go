package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"
)

// Policy holds the differences from the Settings for the clients of some names. The zero value of each
// field but ID means that of the Settings. Immutable once handed to a Server; it caches its
// tls.Config, so equal Policies should be one. Must not be copied then.
type Policy struct {
	// ID names the Policy for all of the process's life: sessions of one ID are not resumed under
	// another. It changes whenever a field below does.
	ID string
	// MinVersion and MaxVersion are tls.VersionTLS12 or tls.VersionTLS13.
	MinVersion, MaxVersion uint16
	CipherSuites           []uint16
	ALPN                   []string
	// ClientAuth is whether clients need a certificate: RequireAndVerifyClientCert (on),
	// VerifyClientCertIfGiven (optional), RequestClientCert (optional_no_ca).
	ClientAuth tls.ClientAuthType
	// ClientCAs verify it; with nil, none is valid.
	ClientCAs *x509.CertPool
	// Depth is how many intermediate certificates may stand between the client's and the CA's;
	// negative is no bound.
	Depth int

	compiled atomic.Pointer[compiled]
}

type compiled struct {
	server *Server
	config *tls.Config
}

// config returns the Policy's tls.Config on s.
func (p *Policy) config(s *Server) *tls.Config {
	if c := p.compiled.Load(); c != nil && c.server == s {
		return c.config
	}
	c := s.base(p.ID)
	if p.MinVersion != 0 {
		c.MinVersion = p.MinVersion
	}
	if p.MaxVersion != 0 {
		c.MaxVersion = p.MaxVersion
	}
	if p.CipherSuites != nil {
		c.CipherSuites = p.CipherSuites
	}
	if p.ALPN != nil {
		c.NextProtos = p.ALPN
	}
	c.ClientAuth, c.ClientCAs = p.ClientAuth, p.ClientCAs
	if c.ClientCAs == nil {
		// nil would be the system's CAs.
		c.ClientCAs = x509.NewCertPool()
	}
	if p.ClientAuth >= tls.VerifyClientCertIfGiven && p.Depth >= 0 {
		c.VerifyConnection = verifyDepth(p.Depth)
	}
	p.compiled.Store(&compiled{s, c})
	return c
}

// verifyDepth refuses a peer's certificate that needs more than depth intermediates. It also runs for
// resumed sessions.
func verifyDepth(depth int) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return nil
		}
		for _, chain := range cs.VerifiedChains {
			if len(chain)-2 <= depth {
				return nil
			}
		}
		return &tls.CertificateVerificationError{
			UnverifiedCertificates: cs.PeerCertificates,
			Err:                    fmt.Errorf("no chain to the CA has %d intermediate certificates or less", depth),
		}
	}
}
