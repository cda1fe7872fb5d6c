package tlsconfig

import (
	"container/list"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Upstream describes how to speak TLS to the Endpoints of a Backend. The zero value verifies, and so
// needs a ServerName.
type Upstream struct {
	// ServerName is sent as SNI, unless it is an IP address, and is what the certificate must cover.
	ServerName string
	// Unverified accepts any certificate.
	Unverified bool
	// CAs verify the Endpoint's certificate; nil: the system's.
	CAs *x509.CertPool
	// Depth is how many intermediate certificates may stand before the CA's; 0 or less: no bound.
	Depth int
	// Certificate is ours, for Endpoints that ask for one; nil: none.
	Certificate            *tls.Certificate
	ALPN                   []string
	MinVersion, MaxVersion uint16   // 0: TLS 1.2, TLS 1.3
	CipherSuites           []uint16 // of TLS 1.2; nil: DefaultCipherSuites
}

// upstreamKey is an Upstream that can be compared. Pools and Certificates are compared by identity:
// whoever loads a Secret anew makes new ones.
type upstreamKey struct {
	name       string
	unverified bool
	cas        *x509.CertPool
	depth      int
	pair       *tls.Certificate
	alpn       string
	low, high  uint16
	suites     string
}

func (u *Upstream) key() upstreamKey {
	return upstreamKey{
		name: u.ServerName, unverified: u.Unverified, cas: u.CAs, depth: u.Depth, pair: u.Certificate,
		alpn: strings.Join(u.ALPN, "\x00"), low: u.MinVersion, high: u.MaxVersion, suites: fmt.Sprint(u.CipherSuites),
	}
}

// Bounds of what Upstreams keeps.
const (
	maxUpstreams        = 1024
	sessionsPerUpstream = 64
)

// Upstreams makes and keeps the tls.Config of each Upstream, with the sessions that its Endpoints
// gave, so that all Conns of one description, on all loops, can resume them and no other can. The zero
// value is ready; safe for concurrent use. Must not be copied.
type Upstreams struct {
	mu    sync.Mutex
	known map[upstreamKey]*list.Element
	order list.List // most recently used first
}

type knownUpstream struct {
	key    upstreamKey
	config *tls.Config
}

// Config returns the tls.Config of u, the same for equal descriptions. It must not be changed. Not for
// every request: keep it with the Backend, or call it once per connection.
func (s *Upstreams) Config(u Upstream) *tls.Config {
	key := u.key()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.known[key]; e != nil {
		s.order.MoveToFront(e)
		return e.Value.(*knownUpstream).config
	}
	if s.known == nil {
		s.known = map[upstreamKey]*list.Element{}
	}
	if s.order.Len() >= maxUpstreams {
		last := s.order.Back()
		delete(s.known, last.Value.(*knownUpstream).key)
		s.order.Remove(last)
	}
	k := &knownUpstream{key, u.config()}
	s.known[key] = s.order.PushFront(k)
	return k.config
}

func (u *Upstream) config() *tls.Config {
	c := &tls.Config{
		ServerName:                  u.ServerName,
		InsecureSkipVerify:          u.Unverified,
		RootCAs:                     u.CAs,
		NextProtos:                  slices.Clone(u.ALPN),
		MinVersion:                  u.MinVersion,
		MaxVersion:                  u.MaxVersion,
		CipherSuites:                slices.Clone(u.CipherSuites),
		DynamicRecordSizingDisabled: true,
		ClientSessionCache:          tls.NewLRUClientSessionCache(sessionsPerUpstream),
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	if c.MaxVersion == 0 {
		c.MaxVersion = tls.VersionTLS13
	}
	if c.CipherSuites == nil {
		c.CipherSuites = DefaultCipherSuites
	}
	if u.Certificate != nil {
		// Certificates would have crypto/tls leave it out where the Endpoint's list of CAs does not name
		// its issuer, and the failure be about a missing certificate.
		pair := u.Certificate
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	if u.Depth > 0 && !u.Unverified {
		c.VerifyConnection = verifyDepth(u.Depth)
	}
	return c
}
