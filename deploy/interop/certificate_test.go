package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// One certificate, its own authority, for all Hosts of the gateway and all Backends.
var (
	certPEM, keyPEM []byte
	certPair        tls.Certificate
	certRoots       = x509.NewCertPool()
	certSPKI        string // in Chromium's form: the hash of the public key
)

func init() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "interop"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		// OpenSSL takes no wildcard below a top-level name.
		DNSNames: []string{"*.test", "h1.test", "h2c.test", "h1-tls.test", "h2.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if certPair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		panic("BUG: " + err.Error())
	}
	certRoots.AddCert(certPair.Leaf)
	sum := sha256.Sum256(certPair.Leaf.RawSubjectPublicKeyInfo)
	certSPKI = base64.StdEncoding.EncodeToString(sum[:])
}
