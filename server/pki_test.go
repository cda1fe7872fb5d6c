package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	leaf *x509.Certificate
	key  crypto.Signer
	// above are the certificates between this one and the root, this one first; none for a root.
	above [][]byte
}

var serials atomic.Int64

// rsaKey is made once: it takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB, name string) *authority {
	a := &authority{t: t, key: ecKey(t)}
	a.leaf = a.sign(a, a.key, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	return a
}

// sign makes a certificate for a key, signed by a. c is a itself for a root.
func (a *authority) sign(c *authority, key crypto.Signer, template *x509.Certificate) *x509.Certificate {
	a.t.Helper()
	template.SerialNumber = big.NewInt(serials.Add(1))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.leaf
	if c == a {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return leaf
}

// below is an intermediate authority.
func (a *authority) below(name string) *authority {
	b := &authority{t: a.t, key: ecKey(a.t)}
	b.leaf = a.sign(b, b.key, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	b.above = append([][]byte{b.leaf.Raw}, a.above...)
	return b
}

// issue makes a key pair with its chain, for names or, without any, for a client called name.
func (a *authority) issue(key crypto.Signer, name string, names ...string) *tls.Certificate {
	usage := x509.ExtKeyUsageServerAuth
	if len(names) == 0 {
		usage = x509.ExtKeyUsageClientAuth
	}
	leaf := a.sign(nil, key, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	})
	return &tls.Certificate{Certificate: append([][]byte{leaf.Raw}, a.above...), PrivateKey: key, Leaf: leaf}
}

func (a *authority) client(name string) *tls.Certificate { return a.issue(ecKey(a.t), name) }

func (a *authority) server(names ...string) *tls.Certificate {
	return a.issue(ecKey(a.t), names[0], names...)
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.leaf)
	return p
}

// routed is a pair as a Snapshot has it.
func routed(pair *tls.Certificate) *routing.Certificate {
	return routing.NewCertificate(routing.ObjectName{Namespace: "default", Name: pair.Leaf.Subject.CommonName}, pair)
}

// wantNoLeaks checks at the end of the test, after everything that is registered later, that as many
// descriptors and goroutines are left as there were.
func wantNoLeaks(t *testing.T) {
	// What is made once for all tests.
	newGateway(t, nil, Options{})
	files, goroutines := openFiles(t), -1
	t.Cleanup(func() {
		var nowFiles, nowGoroutines int
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for begun := time.Now(); time.Since(begun) < wireTimeout/2; {
			nowFiles, nowGoroutines = openFiles(t), runtime.NumGoroutine()
			if nowFiles <= files && nowGoroutines <= goroutines {
				return
			}
			<-tick.C
		}
		stacks := make([]byte, 1<<20)
		sockets, _ := exec.Command("ss", "-tnp").Output()
		t.Errorf("%d descriptors and %d goroutines left, before there were %d and %d\n%s\n%s",
			nowFiles, nowGoroutines, files, goroutines, sockets, stacks[:runtime.Stack(stacks, true)])
	})
	goroutines = runtime.NumGoroutine()
}

func openFiles(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
