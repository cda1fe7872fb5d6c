package tlsconfig

import (
	"crypto/tls"
	"strings"
	"sync"
	"testing"
	"time"
)

// store is Certificates and Policies of a map.
type store struct {
	mu       sync.Mutex
	pairs    map[string][]*tls.Certificate
	fallback *tls.Certificate
	policies map[string]*Policy
}

func (s *store) Lookup(name string) []*tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pairs[name]
}
func (s *store) Default() *tls.Certificate  { return s.fallback }
func (s *store) Policy(name string) *Policy { return s.policies[name] }

func TestCertificateChoice(t *testing.T) {
	ca := authority(t, nil, "root")
	pair := func(useRSA bool, name string) *tls.Certificate { return leaf(t, ca, useRSA, name) }
	fallback, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	both := []*tls.Certificate{pair(true, "both RSA"), pair(false, "both ECDSA")}
	certs := &store{fallback: fallback, pairs: map[string][]*tls.Certificate{
		"a.test":      {pair(false, "exact")},
		"*.test":      {pair(false, "wildcard")},
		"*.b.test":    {pair(false, "deeper wildcard")},
		"both.test":   both,
		"rsa.test":    {pair(true, "only RSA")},
		"*.star.test": {pair(false, "star")},
	}}
	onlyRSA := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	tests := []struct {
		name    string
		version uint16
		ciphers []uint16
		want    string // subject, or the alert
		strict  string
	}{
		{"a.test", 0, nil, "exact", "exact"},
		{"A.Test", 0, nil, "exact", "exact"},
		{"x.test", 0, nil, "wildcard", "wildcard"},
		{"x.b.test", 0, nil, "deeper wildcard", "deeper wildcard"},
		{"y.x.test", 0, nil, SelfSignedName, "unrecognized name"}, // a wildcard is one label
		{"b.test", 0, nil, "wildcard", "wildcard"},
		{"star.test", 0, nil, "wildcard", "wildcard"},
		{"test", 0, nil, SelfSignedName, "unrecognized name"},
		{"", 0, nil, SelfSignedName, "unrecognized name"},
		{"other.example", 0, nil, SelfSignedName, "unrecognized name"},
		{"*.test", 0, nil, SelfSignedName, "unrecognized name"},
		{"both.test", tls.VersionTLS13, nil, "both ECDSA", "both ECDSA"},
		{"both.test", tls.VersionTLS12, nil, "both ECDSA", "both ECDSA"},
		{"both.test", tls.VersionTLS12, onlyRSA, "both RSA", "both RSA"},
		{"rsa.test", tls.VersionTLS13, nil, "only RSA", "only RSA"},
		{"a.test", tls.VersionTLS12, onlyRSA, "handshake failure", "handshake failure"},
	}
	for _, strict := range []bool{false, true} {
		config := NewServer(Settings{StrictNames: strict}, certs, nil).Config()
		for _, test := range tests {
			want := test.want
			if strict {
				want = test.strict
			}
			_, c, _, err := shake(t, config, &tls.Config{ServerName: test.name, InsecureSkipVerify: true, MaxVersion: test.version, CipherSuites: test.ciphers})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = c.PeerCertificates[0].Subject.CommonName
			}
			if !strings.Contains(got, want) {
				t.Errorf("%q (strict=%v, version %x): got %q, want %q", test.name, strict, test.version, got, want)
			}
		}
	}
}

func TestPolicies(t *testing.T) {
	ca, other := authority(t, nil, "root"), authority(t, nil, "other root")
	middle := authority(t, ca, "intermediate")
	fallback := leaf(t, ca, false, "default")
	certs := &store{fallback: fallback, policies: map[string]*Policy{
		"on.test":       {ID: "on", ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(), Depth: 1},
		"shallow.test":  {ID: "shallow", ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()},
		"optional.test": {ID: "optional", ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.pool(), Depth: -1},
		"any.test":      {ID: "any", ClientAuth: tls.RequestClientCert},
		"noca.test":     {ID: "noca", ClientAuth: tls.RequireAndVerifyClientCert},
		"old.test":      {ID: "old", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, ALPN: []string{"http/1.1"}},
	}}
	config := NewServer(Settings{ALPN: []string{"h2", "http/1.1"}}, certs, certs).Config()
	direct, indirect, foreign := leaf(t, ca, false, "direct"), leaf(t, middle, false, "indirect"), leaf(t, other, false, "foreign")
	tests := []struct {
		name string
		cert *tls.Certificate
		ok   bool
	}{
		{"on.test", direct, true}, {"on.test", indirect, true}, {"on.test", foreign, false}, {"on.test", nil, false},
		{"ON.test", nil, false},
		{"shallow.test", direct, true}, {"shallow.test", indirect, false},
		{"optional.test", nil, true}, {"optional.test", indirect, true}, {"optional.test", foreign, false},
		{"any.test", nil, true}, {"any.test", foreign, true},
		{"noca.test", direct, false}, {"noca.test", nil, false},
		{"free.test", nil, true},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, test := range tests {
			client := &tls.Config{ServerName: test.name, InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
			if test.cert != nil {
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.cert, nil }
			}
			s, _, err, _ := shake(t, config, client)
			if (err == nil) != test.ok {
				t.Errorf("%s, version %x: ok=%v, %v", test.name, version, err == nil, err)
			}
			if err == nil && test.cert != nil && test.name != "free.test" && len(s.PeerCertificates) == 0 {
				t.Errorf("%s: no certificate seen", test.name)
			}
		}
	}
	s, c, _, err := shake(t, config, &tls.Config{ServerName: "old.test", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil || s.Version != tls.VersionTLS12 || s.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 || c.NegotiatedProtocol != "http/1.1" {
		t.Errorf("old.test: %v, version %x, suite %x, %q", err, s.Version, s.CipherSuite, c.NegotiatedProtocol)
	}
}

// TestSwap: a certificate put in place of another is served to the next handshake.
func TestSwap(t *testing.T) {
	ca := authority(t, nil, "root")
	certs := &store{pairs: map[string][]*tls.Certificate{"a.test": {leaf(t, ca, false, "before")}}}
	config := NewServer(Settings{}, certs, nil).Config()
	for _, want := range []string{"before", "after"} {
		_, c, _, err := shake(t, config, &tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
		if err != nil || c.PeerCertificates[0].Subject.CommonName != want {
			t.Fatalf("want %s: %v", want, err)
		}
		certs.mu.Lock()
		certs.pairs["a.test"] = []*tls.Certificate{leaf(t, ca, false, "after")}
		certs.mu.Unlock()
	}
}

// oneSession hands the same session to every name.
type oneSession struct{ tls.ClientSessionCache }

func (o oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.ClientSessionCache.Get("") }
func (o oneSession) Put(_ string, s *tls.ClientSessionState)    { o.ClientSessionCache.Put("", s) }

// TestTicketsAreBound: a ticket is good for its name and Policy only, on any Server with the same
// Tickets, and for accept periods.
func TestTicketsAreBound(t *testing.T) {
	ca := authority(t, nil, "root")
	pair := leaf(t, ca, false, "a.test", "b.test")
	byName := map[string][]*tls.Certificate{"a.test": {pair}, "b.test": {pair}}
	mutual := func(id string) map[string]*Policy {
		return map[string]*Policy{"b.test": {ID: id, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(), Depth: 1}}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		now := time.Now()
		var mu sync.Mutex
		clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		sleep := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
		tickets := newTickets(time.Hour, 3, clock)
		server := func(strict bool, policies map[string]*Policy) *tls.Config {
			s := &store{pairs: byName, policies: policies}
			return NewServer(Settings{Tickets: tickets, StrictNames: strict}, s, s).Config()
		}
		first, second := server(false, mutual("one")), server(true, mutual("one"))
		without := NewServer(Settings{}, &store{pairs: byName}, nil).Config()
		cert := leaf(t, ca, false, "client")
		sessions := oneSession{tls.NewLRUClientSessionCache(1)}
		visit := func(name string, config *tls.Config, want bool, why string) {
			t.Helper()
			client := &tls.Config{
				ServerName: name, RootCAs: ca.pool(), MinVersion: version, MaxVersion: version, ClientSessionCache: sessions,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil },
			}
			s, _, err, err2 := shake(t, config, client)
			if err != nil || err2 != nil {
				t.Fatalf("%s: %v, %v", why, err, err2)
			}
			if s.DidResume != want {
				t.Errorf("version %x, %s: resumed=%v", version, why, s.DidResume)
			}
		}
		visit("a.test", first, false, "first visit")
		visit("a.test", first, true, "again")
		visit("a.test", second, true, "on another Server")
		visit("b.test", first, false, "another name, with a policy")
		visit("b.test", first, true, "the same again")
		visit("b.test", server(false, mutual("two")), false, "the policy has changed")
		visit("a.test", first, false, "without a policy")
		visit("a.test", without, false, "a server without tickets")
		sleep(90 * time.Minute)
		visit("a.test", first, true, "with the key before the present one")
		sleep(59 * time.Minute)
		visit("a.test", first, true, "renewed by now")
		sleep(3 * time.Hour)
		visit("a.test", first, false, "with a key that is forgotten")
		visit("a.test", second, true, "known and strict")
		delete(byName, "a.test")
		_, _, err, _ := shake(t, second, &tls.Config{ServerName: "a.test", RootCAs: ca.pool(), MinVersion: version, MaxVersion: version, ClientSessionCache: sessions})
		if err == nil {
			t.Error("resumed a name that is gone, and strict")
		}
		byName["a.test"] = []*tls.Certificate{pair}
	}
}

func TestRotation(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	k := newTickets(time.Hour, 3, func() time.Time { return now })
	for i, want := range []int{1, 2, 3, 3, 3} {
		k.rotate()
		k.rotate()
		if len(k.keys) != want || k.keys[0].made != now {
			t.Errorf("hour %d: %d keys, want %d", i, len(k.keys), want)
		}
		now = now.Add(time.Hour)
	}
	now = now.Add(100 * time.Hour)
	k.rotate()
	if len(k.keys) != 1 {
		t.Errorf("after a long rest: %d keys", len(k.keys))
	}
}
