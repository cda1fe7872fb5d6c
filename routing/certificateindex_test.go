package routing_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// namedCertificate is one without a key, good enough to be found.
func namedCertificate(name string, algorithm x509.PublicKeyAlgorithm) *routing.Certificate {
	return routing.NewCertificate(routing.ObjectName{Namespace: "n", Name: name},
		&tls.Certificate{Leaf: &x509.Certificate{PublicKeyAlgorithm: algorithm}})
}

func TestCertificatesFor(t *testing.T) {
	lists := map[string][]*routing.Certificate{}
	for _, name := range []string{"a.test", "*.b.test", "x.b.test", "*.x.b.test"} {
		lists[name] = []*routing.Certificate{namedCertificate(name, x509.ECDSA)}
	}
	lists["a.test"] = append(lists["a.test"], namedCertificate("rsa", x509.RSA))
	s := &routing.Snapshot{ServerNames: (*routing.CertificateIndex)(nil).With(lists)}
	for _, row := range []struct{ name, want string }{
		{"a.test", "a.test rsa"},
		{"A.Test", "a.test rsa"},
		{"x.a.test", ""}, // no wildcard there
		{"x.b.test", "x.b.test"},
		{"y.b.test", "*.b.test"},
		{"b.test", ""}, // a wildcard is for one label more
		{"y.x.b.test", "*.x.b.test"},
		{"z.y.b.test", ""},       // and for no more than one
		{"*.b.test", "*.b.test"}, // the star is a label like others
		{".b.test", ""},          // an empty label is none
		{"b", ""},
		{"", ""},
		{strings.Repeat("a", 300), ""},
	} {
		var got []string
		for _, c := range s.CertificatesFor(row.name) {
			got = append(got, c.Secret.Name)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%q: %q, want %q", row.name, got, row.want)
		}
	}
	if got := new(routing.Snapshot).CertificatesFor("a.test"); got != nil {
		t.Errorf("an empty Snapshot has %v", got)
	}
}

// TestCertificateIndexAgainstMap makes random changes and compares with a map; indexes made before
// stay what they were.
func TestCertificateIndexAgainstMap(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		want := map[string][]*routing.Certificate{}
		var index *routing.CertificateIndex
		for step := range 60 {
			before, was := index, maps.Clone(want)
			changed := map[string][]*routing.Certificate{}
			for range 1 + r.IntN(1+step) {
				name := fmt.Sprintf("%s%d.test", []string{"", "*."}[r.IntN(2)], r.IntN(100))
				if changed[name] = nil; r.IntN(3) > 0 {
					changed[name] = []*routing.Certificate{namedCertificate(name, x509.RSA)}
				}
			}
			for name, list := range changed {
				if want[name] = list; list == nil {
					delete(want, name)
				}
			}
			index = index.With(changed)
			for _, x := range []struct {
				index *routing.CertificateIndex
				want  map[string][]*routing.Certificate
			}{{before, was}, {index, want}} {
				s := &routing.Snapshot{ServerNames: x.index}
				if n := x.index.Names(); n != len(x.want) {
					t.Fatalf("seed %d: %d names, want %d", seed, n, len(x.want))
				}
				for name, list := range x.want {
					if kept := s.CertificatesFor(strings.Replace(name, "*", "any", 1)); !slices.Equal(kept, list) {
						t.Fatalf("seed %d: %s has %v, want %v", seed, name, kept, list)
					}
				}
			}
		}
	}
}

func TestCompareAlgorithm(t *testing.T) {
	list := []*routing.Certificate{namedCertificate("c", x509.RSA), namedCertificate("a", x509.ECDSA), namedCertificate("b", x509.Ed25519)}
	slices.SortFunc(list, (*routing.Certificate).CompareAlgorithm)
	if got := list[0].Secret.Name + list[1].Secret.Name + list[2].Secret.Name; got != "abc" {
		t.Errorf("sorted %s", got)
	}
}

// manyNames is an index of n names.
func manyNames(n int) *routing.CertificateIndex {
	all := make(map[string][]*routing.Certificate, n)
	for i := range n {
		name := fmt.Sprintf("app-%05d.test", i)
		all[name] = []*routing.Certificate{namedCertificate(name, x509.ECDSA)}
	}
	return (*routing.CertificateIndex)(nil).With(all)
}

// TestCertificateChange: one of 10,000 names changes in a small part of the time that all of them take, here a
// few microseconds of milliseconds.
func TestCertificateChange(t *testing.T) {
	var index *routing.CertificateIndex
	best := func(f func()) time.Duration {
		shortest := time.Hour
		for range 20 {
			start := time.Now()
			f()
			shortest = min(shortest, time.Since(start))
		}
		return shortest
	}
	all := best(func() { index = manyNames(10_000) })
	change := map[string][]*routing.Certificate{"app-00007.test": {namedCertificate("new", x509.RSA)}}
	one := best(func() { index = index.With(change) })
	t.Logf("10,000 names in %v, one in %v", all, one)
	if one > all/10 {
		t.Errorf("10,000 names took %v, one %v", all, one)
	}
}

func BenchmarkCertificates(b *testing.B) {
	s := &routing.Snapshot{ServerNames: manyNames(10_000)}
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if s.CertificatesFor("app-07777.test") == nil {
				b.Fatal("not found")
			}
		}
	})
	b.Run("change", func(b *testing.B) {
		change := map[string][]*routing.Certificate{"app-00007.test": {namedCertificate("new", x509.RSA)}}
		b.ReportAllocs()
		for b.Loop() {
			s.ServerNames.With(change)
		}
	})
}
