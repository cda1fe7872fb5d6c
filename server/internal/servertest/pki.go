package servertest

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
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	t    testing.TB
	Leaf *x509.Certificate
	Key  crypto.Signer
	// above are the certificates between this one and the root, this one first; none for a root.
	above [][]byte
}

// Serials numbers the certificates of the process.
var Serials atomic.Int64

// RSAKey is made once: it takes long.
var RSAKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("BUG: no key: " + err.Error())
	}
	return key
})

// ECKey makes a key.
func ECKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NewAuthority makes a root.
func NewAuthority(t testing.TB, name string) *Authority {
	a := &Authority{t: t, Key: ECKey(t)}
	a.Leaf = a.Sign(a, a.Key, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	return a
}

// Sign makes a certificate for a key, signed by a. c is a itself for a root.
func (a *Authority) Sign(c *Authority, key crypto.Signer, template *x509.Certificate) *x509.Certificate {
	a.t.Helper()
	template.SerialNumber = big.NewInt(Serials.Add(1))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.Leaf
	if c == a {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.Key)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return leaf
}

// Below is an intermediate authority.
func (a *Authority) Below(name string) *Authority {
	b := &Authority{t: a.t, Key: ECKey(a.t)}
	b.Leaf = a.Sign(b, b.Key, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	b.above = append([][]byte{b.Leaf.Raw}, a.above...)
	return b
}

// Issue makes a key pair with its chain, for names or, without any, for a client called name.
func (a *Authority) Issue(key crypto.Signer, name string, names ...string) *tls.Certificate {
	usage := x509.ExtKeyUsageServerAuth
	if len(names) == 0 {
		usage = x509.ExtKeyUsageClientAuth
	}
	leaf := a.Sign(nil, key, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	})
	return &tls.Certificate{Certificate: append([][]byte{leaf.Raw}, a.above...), PrivateKey: key, Leaf: leaf}
}

// Client makes a client's key pair.
func (a *Authority) Client(name string) *tls.Certificate { return a.Issue(ECKey(a.t), name) }

// Server makes a key pair for names.
func (a *Authority) Server(names ...string) *tls.Certificate {
	return a.Issue(ECKey(a.t), names[0], names...)
}

// Pool trusts a alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Leaf)
	return p
}

// OpenFiles counts the descriptors of the process.
func OpenFiles(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
