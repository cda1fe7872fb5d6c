package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validFor is the life of every certificate. A state directory older than this has to be deleted.
const validFor = 10 * 365 * 24 * time.Hour

// authority signs the cluster's certificates. Its key and the key of ServiceAccount tokens are made once per state
// directory, so kubeconfigs and tokens handed out earlier stay good when the cluster starts again; the certificates it
// signs are cheap and issued anew.
//
// Immutable after loadAuthority.
type authority struct {
	cert    *x509.Certificate
	certPEM []byte
	key     crypto.Signer

	certFile     string // PEM, for --client-ca-file
	tokenKeyFile string // PEM, for --service-account-signing-key-file
}

// keyPair is a certificate and its private key, both PEM.
type keyPair struct {
	cert, key []byte
}

// loadAuthority reads the authority of dir, or makes it where dir has none.
func loadAuthority(dir string) (*authority, error) {
	a := &authority{
		certFile:     filepath.Join(dir, "ca.crt"),
		tokenKeyFile: filepath.Join(dir, "service-accounts.key"),
	}
	if _, err := loadKey(a.tokenKeyFile); err != nil {
		return nil, err
	}
	key, err := loadKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	a.key = key

	a.certPEM, err = os.ReadFile(a.certFile)
	if errors.Is(err, fs.ErrNotExist) {
		a.certPEM, err = sign(&x509.Certificate{
			Subject:               pkix.Name{CommonName: "local cluster"},
			KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
			IsCA:                  true,
			BasicConstraintsValid: true,
		}, nil, key.Public(), key)
		if err == nil {
			err = writeFile(a.certFile, a.certPEM)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load authority: %w", err)
	}
	block, _ := pem.Decode(a.certPEM)
	if block == nil {
		return nil, fmt.Errorf("load authority: %s has no PEM block", a.certFile)
	}
	a.cert, err = x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("load authority: %s: %w", a.certFile, err)
	}
	return a, nil
}

// issueServer writes a serving certificate for the API server into dir. It holds for host and for every loopback name,
// and for the names of Service "kubernetes".
func (a *authority) issueServer(dir string, host net.IP) (certFile, keyFile string, err error) {
	pair, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: []net.IP{host, net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 96, 0, 1)},
	})
	if err != nil {
		return "", "", fmt.Errorf("issue server certificate: %w", err)
	}
	certFile, keyFile = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	if err := errors.Join(writeFile(certFile, pair.cert), writeFile(keyFile, pair.key)); err != nil {
		return "", "", fmt.Errorf("issue server certificate: %w", err)
	}
	return certFile, keyFile, nil
}

// issueAdmin returns a client certificate of a member of system:masters, who may do everything.
func (a *authority) issueAdmin() (keyPair, error) {
	pair, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return keyPair{}, fmt.Errorf("issue administrator certificate: %w", err)
	}
	return pair, nil
}

// issue makes a key and has template signed for it.
func (a *authority) issue(template *x509.Certificate) (keyPair, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return keyPair{}, err
	}
	cert, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{cert: cert, key: keyPEM}, nil
}

// sign completes template and returns it signed by key, as PEM. A nil parent makes a self-signed certificate.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour) // clocks of containers and laptops jump
	template.NotAfter = time.Now().Add(validFor)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// loadKey reads a private key, or makes one where the file is missing.
func loadKey(name string) (crypto.Signer, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		key, text, err := newKey()
		if err != nil {
			return nil, fmt.Errorf("make key %s: %w", name, err)
		}
		return key, writeFile(name, text)
	}
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("load key: %s has no PEM block", name)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("load key %s: %w", name, err)
	}
	return key, nil
}

// newKey makes a P-256 key: the smallest that every Kubernetes client and token verifier takes, and much faster to make than RSA.
func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// writeFile replaces a file at once, so that a reader, or a start after a crash, sees the old content or the new.
func writeFile(name string, content []byte) error {
	temporary := name + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(temporary, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
