package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// keyPair is the certificate that all proxies of a run serve: ECDSA on P-256, signed by itself, for benchHost.
type keyPair struct {
	// Immutable after newKeyPair:
	Cert, Key string // files
	Both      string // file of both, in HAProxy's form

	certPEM, keyPEM []byte
	roots           *x509.CertPool
}

// newKeyPair makes a key pair that is valid for a day and writes it into dir.
func newKeyPair(dir string) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: benchHost},
		DNSNames:     []string{benchHost},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	k := &keyPair{
		Cert:    filepath.Join(dir, "tls.crt"),
		Key:     filepath.Join(dir, "tls.key"),
		Both:    filepath.Join(dir, "tls.pem"),
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		roots:   x509.NewCertPool(),
	}
	k.roots.AppendCertsFromPEM(k.certPEM)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory of certificate: %w", err)
	}
	for path, text := range map[string][]byte{k.Cert: k.certPEM, k.Key: k.keyPEM, k.Both: append(k.certPEM[:len(k.certPEM):len(k.certPEM)], k.keyPEM...)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, fmt.Errorf("write certificate: %w", err)
		}
	}
	return k, nil
}

// readRoots is the pool that trusts the certificates of a file.
func readRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read certificate: none in %s", path)
	}
	return pool, nil
}
