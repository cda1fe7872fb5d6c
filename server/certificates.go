package server

import (
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// certificates gives handshakes the certificates and the policies of the live Snapshot: it implements tlsconfig.Certificates
// and tlsconfig.Policies. Safe for concurrent use. Made by newCertificates.
type certificates struct {
	store      *routing.Store
	selfSigned *tls.Certificate

	// Guarded by mu:
	mu       sync.Mutex
	policies map[string]*tlsconfig.Policy // by ID: handshakes under equal rules share one
}

// maxPolicies bounds the policies that are kept, of which some may be out of use.
const maxPolicies = 1024

func newCertificates(store *routing.Store) (*certificates, error) {
	own, err := tlsconfig.SelfSigned()
	if err != nil {
		return nil, fmt.Errorf("make default certificate: %w", err)
	}
	return &certificates{store: store, selfSigned: own, policies: map[string]*tlsconfig.Policy{}}, nil
}

// Lookup implements tlsconfig.Certificates.
func (s *certificates) Lookup(name string) []*tls.Certificate {
	snapshot := s.store.Load()
	if snapshot == nil {
		return nil
	}
	known := snapshot.CertificatesFor(name)
	if len(known) == 0 {
		return nil
	}
	pairs := make([]*tls.Certificate, len(known))
	for i, c := range known {
		pairs[i] = c.Certificate
	}
	return pairs
}

// Default implements tlsconfig.Certificates.
func (s *certificates) Default() *tls.Certificate {
	if snapshot := s.store.Load(); snapshot != nil && snapshot.DefaultCertificate != nil {
		return snapshot.DefaultCertificate.Certificate
	}
	return s.selfSigned
}

// Policy implements tlsconfig.Policies.
func (s *certificates) Policy(name string) *tlsconfig.Policy {
	snapshot := s.store.Load()
	if snapshot == nil {
		return nil
	}
	auth, suites := snapshot.ClientAuthFor(name), snapshot.CipherSuitesFor(name)
	if auth != nil && auth.Mode == routing.ClientAuthOff {
		auth = nil
	}
	if auth == nil && suites == nil {
		return nil
	}
	id := fmt.Sprint(suites)
	if auth != nil {
		id += " " + hex.EncodeToString(auth.Identity[:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.policies[id]; p != nil {
		return p
	}
	p := &tlsconfig.Policy{ID: id, CipherSuites: suites}
	if auth != nil {
		p.ClientAuth, p.ClientCAs = auth.Asks(), auth.Roots
	}
	if len(s.policies) >= maxPolicies {
		clear(s.policies)
	}
	s.policies[id] = p
	return p
}

// serverTLS makes the configuration of handshakes with clients.
func (s *Server) serverTLS(c *config.Config) *tlsconfig.Server {
	lowest, highest, _ := tlsconfig.ParseProtocols(c.TLS.Protocols)
	suites, _ := tlsconfig.ParseCiphers(c.TLS.Ciphers)
	set := tlsconfig.Settings{
		MinVersion: lowest, MaxVersion: highest, CipherSuites: suites,
		ALPN: []string{"http/1.1"}, StrictNames: c.TLS.SNIStrict,
	}
	if c.HTTP2.Enabled {
		set.ALPN = []string{"h2", "http/1.1"}
	}
	if c.TLS.SessionTickets {
		s.tickets.SetPeriod(time.Duration(c.TLS.TicketRotation))
		set.Tickets = s.tickets
	}
	return tlsconfig.NewServer(set, s.certificates, s.certificates)
}
