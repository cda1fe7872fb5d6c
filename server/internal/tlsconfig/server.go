package tlsconfig

import (
	"crypto/ecdsa"
	"crypto/tls"
	"runtime"
	"strings"
)

// Certificates are the key pairs in force. Each call reads one Snapshot; it is called for each
// handshake, from many goroutines.
type Certificates interface {
	// Lookup returns the pairs for one name, best first, of several key types perhaps: an exact name, or
	// a wildcard written "*.example.com". It must not treat one as the other. nil: none.
	Lookup(name string) []*tls.Certificate
	// Default is for clients that ask for no name or an unknown one. nil: none, they are refused.
	Default() *tls.Certificate
}

// Policies finds the Policy of the Host that a name belongs to.
type Policies interface {
	// Policy returns nil where the Settings apply. name is normalised, "" for a client that sent none.
	Policy(name string) *Policy
}

// Settings are the basis of every Policy.
type Settings struct {
	MinVersion, MaxVersion uint16   // 0: TLS 1.2, TLS 1.3
	CipherSuites           []uint16 // of TLS 1.2; nil: DefaultCipherSuites
	ALPN                   []string
	// StrictNames refuses an unknown name, or none, with the alert unrecognized_name (RFC 6066, 3)
	// instead of serving the default certificate.
	StrictNames bool
	// Tickets resume sessions; nil: none are.
	Tickets *Tickets
}

// Server makes the tls.Config of handshakes with clients. Made by NewServer, immutable, safe for
// concurrent use. A reload makes another, with the same Tickets.
type Server struct {
	set      Settings
	certs    Certificates
	policies Policies
	config   *tls.Config
}

// NewServer returns a Server. policies may be nil: the Settings apply to all names.
func NewServer(set Settings, certs Certificates, policies Policies) *Server {
	if set.MinVersion == 0 {
		set.MinVersion = tls.VersionTLS12
	}
	if set.MaxVersion == 0 {
		set.MaxVersion = tls.VersionTLS13
	}
	if set.CipherSuites == nil {
		set.CipherSuites = DefaultCipherSuites
	}
	s := &Server{set: set, certs: certs, policies: policies}
	s.config = s.base("")
	if policies != nil {
		s.config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if p := s.policies.Policy(NormalName(hello.ServerName)); p != nil {
				return p.config(s), nil
			}
			return nil, nil
		}
	}
	return s
}

// Config is for every handshake with a client. It must not be changed.
func (s *Server) Config() *tls.Config { return s.config }

// base makes the tls.Config of the Settings for the Policy of the given ID.
func (s *Server) base(policy string) *tls.Config {
	c := &tls.Config{
		MinVersion:     s.set.MinVersion,
		MaxVersion:     s.set.MaxVersion,
		CipherSuites:   s.set.CipherSuites,
		NextProtos:     s.set.ALPN,
		GetCertificate: s.certificate,
		// Records of 16 KiB from the first on. Small ones help only where less than the first flight of
		// a response is useful, cost 14 times the headers, tags and calls, and undo the owner's gathering.
		DynamicRecordSizingDisabled: true,
		SessionTicketsDisabled:      s.set.Tickets == nil,
	}
	t := s.set.Tickets
	if t == nil {
		return c
	}
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		return t.wrap(cs, ss, bind(policy, NormalName(cs.ServerName)))
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		name := NormalName(cs.ServerName)
		// A resumed session asks for no certificate, so the name is looked up here.
		if s.set.StrictNames && len(s.lookup(name)) == 0 {
			return nil, nil
		}
		return t.unwrap(ticket, cs, bind(policy, name)), nil
	}
	return c
}

// certificate chooses by name and by what the client can verify: of several, ECDSA, because it costs a
// tenth of RSA to sign with; where the client can verify none, crypto/tls reports that to it when
// given the first. Returning nothing has it send unrecognized_name.
func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	// The keys are made, two thirds of a handshake's computing. A loop on this processor has its turn before
	// the signature.
	runtime.Gosched()
	pairs := s.lookup(NormalName(hello.ServerName))
	switch {
	case len(pairs) == 0 && s.set.StrictNames:
		return nil, nil
	case len(pairs) == 0:
		return s.certs.Default(), nil
	case len(pairs) == 1:
		return pairs[0], nil
	}
	// Lookup decides which names a pair is served for, even if it does not cover them:
	// SupportsCertificate would leave it out.
	nameless := *hello
	nameless.ServerName = ""
	var usable *tls.Certificate
	for _, pair := range pairs {
		if nameless.SupportsCertificate(pair) != nil {
			continue
		}
		if _, ok := pair.PrivateKey.(*ecdsa.PrivateKey); ok {
			return pair, nil
		}
		if usable == nil {
			usable = pair
		}
	}
	if usable == nil {
		usable = pairs[0]
	}
	return usable, nil
}

// lookup finds the pairs of a normalised name: exact, or a wildcard in place of its first label.
func (s *Server) lookup(name string) []*tls.Certificate {
	if name == "" || name[0] == '*' {
		return nil
	}
	if pairs := s.certs.Lookup(name); len(pairs) > 0 {
		return pairs
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		return s.certs.Lookup("*" + name[dot:])
	}
	return nil
}

// NormalName returns a server name in the form of Certificates and Policies: lower case, without the
// dot that may end an absolute name.
func NormalName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
