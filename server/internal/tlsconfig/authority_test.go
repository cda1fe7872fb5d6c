package tlsconfig

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
	"net"
	"testing"
	"time"
)

// issued is a certificate with its key, to sign others with.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
	// chain is the DER of it and of those that signed it, without the root.
	chain [][]byte
}

var rsaKey = func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return key
}()

// issue makes a certificate, signed by parent, or by itself.
func issue(t testing.TB, parent *issued, template x509.Certificate, useRSA bool) *issued {
	t.Helper()
	var key crypto.Signer = rsaKey
	if !useRSA {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key = k
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer := &issued{cert: &template, key: key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, signer.cert, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	i := &issued{key: key}
	if i.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if parent != nil {
		i.chain = append([][]byte{der}, parent.chain...)
	}
	return i
}

func authority(t testing.TB, parent *issued, name string) *issued {
	return issue(t, parent, x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, false)
}

func leaf(t testing.TB, parent *issued, useRSA bool, names ...string) *tls.Certificate {
	i := issue(t, parent, x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, useRSA)
	return &tls.Certificate{Certificate: i.chain, PrivateKey: i.key, Leaf: i.cert}
}

func (i *issued) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(i.cert)
	return p
}

// shake shakes hands over loopback and exchanges a byte each way, so that tickets arrive. It returns
// what each side knows and its error.
func shake(t testing.TB, server, client *tls.Config) (s, c tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := ln.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(time.Minute))
		conn := tls.Server(raw, server)
		if serverErr = conn.Handshake(); serverErr != nil {
			return
		}
		s = conn.ConnectionState()
		if _, serverErr = conn.Write([]byte{1}); serverErr == nil {
			_, serverErr = conn.Read(make([]byte, 1))
		}
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	conn := tls.Client(raw, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		c = conn.ConnectionState()
		if _, clientErr = conn.Read(make([]byte, 1)); clientErr == nil {
			_, clientErr = conn.Write([]byte{1})
		}
	}
	raw.Close()
	<-done
	return s, c, serverErr, clientErr
}
