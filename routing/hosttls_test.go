package routing_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestHostTLS: the one Host that answers for a name decides, as for requests, and no less specific one.
func TestHostTLS(t *testing.T) {
	var b routing.Builder
	hosts := map[string]*routing.Host{}
	auth := map[string]*routing.ClientAuth{}
	for name, passes := range map[string]bool{"": false, "*.b.test": true, "b.test": false, "c.test": true} {
		auth[name] = &routing.ClientAuth{Mode: routing.ClientAuthOn}
		tls := &routing.HostTLS{ClientAuth: auth[name], Passthrough: passes, Backend: int32(len(name) - 8)}
		source := &routing.Source{TLS: tls}
		h, _ := b.BuildHost(name, []routing.Route{{Path: "/", Type: routing.Prefix, Source: source}})
		hosts[name] = h.WithTLS(tls)
	}
	hosts["plain.b.test"], _ = b.BuildHost("plain.b.test", []routing.Route{{Path: "/", Type: routing.Prefix}})
	to := &routing.Backend{}
	s := &routing.Snapshot{Table: (*routing.Table)(nil).With(hosts, nil), Backends: []*routing.Backend{to}}
	for _, row := range []struct {
		name, host string
		passes     bool
		to         *routing.Backend
	}{
		{"b.test", "b.test", false, nil},
		{"X.B.test", "*.b.test", true, to},
		{"x.y.b.test", "", false, nil},
		{"plain.b.test", "none", false, nil}, // the wildcard's ClientAuth does not apply
		{"c.test", "c.test", true, nil},      // its Backend is not resolved
		{"", "", false, nil},
	} {
		if got := s.ClientAuthFor(row.name); got != auth[row.host] {
			t.Errorf("%q: it is not asked for what %q asks", row.name, row.host)
		}
		if to, passes := s.PassthroughFor(row.name); to != row.to || passes != row.passes {
			t.Errorf("%q: passed on %v to %v", row.name, passes, to)
		}
	}
	if got := s.Table.Match([]byte("b.test"), []byte("/a")).ClientAuth(); got != auth["b.test"] {
		t.Errorf("the Route's Host asks for %v", got)
	}
	if s.Table.Match([]byte("plain.b.test"), []byte("/")).ClientAuth() != nil {
		t.Error("a Route without an object asks for certificates")
	}
	empty := new(routing.Snapshot)
	if _, passes := empty.PassthroughFor("a"); passes || empty.ClientAuthFor("a") != nil {
		t.Error("an empty Snapshot asks for something")
	}
}

func TestClientAuthEqual(t *testing.T) {
	one, same, other := &routing.ClientAuth{ErrorPage: "/a"}, &routing.ClientAuth{ErrorPage: "/a"}, &routing.ClientAuth{}
	for _, row := range []struct {
		a, b *routing.ClientAuth
		want bool
	}{{one, same, true}, {one, other, false}, {one, nil, false}, {nil, one, false}, {nil, nil, true}} {
		if got := row.a.Equal(row.b); got != row.want {
			t.Errorf("%v and %v: %v", row.a, row.b, got)
		}
	}
}
