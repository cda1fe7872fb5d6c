package tlsconfig

import (
	"crypto/tls"
	"fmt"
	"testing"
)

func TestUpstream(t *testing.T) {
	ca, other := authority(t, nil, "root"), authority(t, nil, "other root")
	middle := authority(t, ca, "intermediate")
	lower := authority(t, middle, "lower intermediate")
	ours := leaf(t, other, false, "gateway")
	server := func(pair *tls.Certificate, auth tls.ClientAuthType) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{*pair}, ClientAuth: auth, ClientCAs: other.pool(), NextProtos: []string{"h2", "http/1.1"}}
	}
	good, deep := leaf(t, middle, false, "pod.test"), leaf(t, lower, true, "pod.test")
	tests := []struct {
		name   string
		up     Upstream
		server *tls.Config
		ok     bool
	}{
		{"verified", Upstream{ServerName: "pod.test", CAs: ca.pool(), ALPN: []string{"h2"}}, server(good, 0), true},
		{"another name", Upstream{ServerName: "x.test", CAs: ca.pool()}, server(good, 0), false},
		{"another CA", Upstream{ServerName: "pod.test", CAs: other.pool()}, server(good, 0), false},
		{"the system's CAs", Upstream{ServerName: "pod.test"}, server(good, 0), false},
		{"no name", Upstream{CAs: ca.pool()}, server(good, 0), false},
		{"unverified", Upstream{Unverified: true}, server(good, 0), true},
		{"unverified with a name", Upstream{ServerName: "x.test", Unverified: true}, server(good, 0), true},
		{"deep", Upstream{ServerName: "pod.test", CAs: ca.pool()}, server(deep, 0), true},
		{"too deep", Upstream{ServerName: "pod.test", CAs: ca.pool(), Depth: 1}, server(deep, 0), false},
		{"deep enough", Upstream{ServerName: "pod.test", CAs: ca.pool(), Depth: 1}, server(good, 0), true},
		{"client certificate", Upstream{Unverified: true, Certificate: ours}, server(good, tls.RequireAndVerifyClientCert), true},
		{"none to show", Upstream{Unverified: true}, server(good, tls.RequireAndVerifyClientCert), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var u Upstreams
			config := u.Config(test.up)
			for i := range 2 {
				s, c, _, err := shake(t, test.server, config)
				if (err == nil) != test.ok {
					t.Fatalf("ok=%v, %v", err == nil, err)
				}
				if err != nil {
					return
				}
				// Without a name sessions are kept by address, and this server has a new one each time.
				if test.up.ServerName != "" && c.DidResume != (i == 1) {
					t.Errorf("connection %d: resumed=%v", i, c.DidResume)
				}
				if len(test.up.ALPN) > 0 && s.NegotiatedProtocol != test.up.ALPN[0] {
					t.Errorf("ALPN gave %q", s.NegotiatedProtocol)
				}
			}
		})
	}
}

func TestUpstreamsAreKept(t *testing.T) {
	ca := authority(t, nil, "root")
	pool := ca.pool()
	var u Upstreams
	base := Upstream{ServerName: "a", CAs: pool, ALPN: []string{"h2", "http/1.1"}}
	first := u.Config(base)
	same := base
	same.ALPN = []string{"h2", "http/1.1"}
	if u.Config(same) != first {
		t.Error("equal descriptions have two configs")
	}
	for i, change := range []func(*Upstream){
		func(u *Upstream) { u.ServerName = "b" },
		func(u *Upstream) { u.Unverified = true },
		func(u *Upstream) { u.CAs = ca.pool() },
		func(u *Upstream) { u.Depth = 1 },
		func(u *Upstream) { u.Certificate = leaf(t, ca, false, "x") },
		func(u *Upstream) { u.ALPN = []string{"h2"} },
		func(u *Upstream) { u.MinVersion = tls.VersionTLS13 },
		func(u *Upstream) { u.CipherSuites = DefaultCipherSuites[:1] },
	} {
		other := base
		change(&other)
		if c := u.Config(other); c == first || c.ClientSessionCache == first.ClientSessionCache {
			t.Errorf("change %d shares a config or its sessions", i)
		}
	}
	for i := range 2 * maxUpstreams {
		u.Config(base)
		u.Config(Upstream{ServerName: fmt.Sprint(i)})
	}
	if u.Config(base) != first {
		t.Error("one in use was forgotten")
	}
	if len(u.known) != maxUpstreams || u.order.Len() != maxUpstreams {
		t.Errorf("%d and %d kept", len(u.known), u.order.Len())
	}
}
