package routing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Certificate is a key pair from a Secret. Immutable once published, safe for concurrent use, and
// shared by consecutive Snapshots while its Secret does not change; Snapshot.ServerNames has the
// names that it is served for. Made by NewCertificate. No way of printing it shows the private key.
type Certificate struct {
	// Secret is the object that the pair came in.
	Secret ObjectName
	// Certificate is the pair, with its Leaf. It holds the private key, and must neither be printed nor
	// encoded.
	Certificate *tls.Certificate `json:"-"`
	// NotBefore and NotAfter bound the time in which clients accept the leaf.
	NotBefore, NotAfter time.Time
}

// NewCertificate makes a Certificate of a pair, whose Leaf is set.
func NewCertificate(secret ObjectName, pair *tls.Certificate) *Certificate {
	return &Certificate{
		Secret: secret, Certificate: pair,
		NotBefore: pair.Leaf.NotBefore.UTC(), NotAfter: pair.Leaf.NotAfter.UTC(),
	}
}

// Algorithm is that of the public key: x509.ECDSA, x509.Ed25519 or x509.RSA.
func (c *Certificate) Algorithm() x509.PublicKeyAlgorithm {
	return c.Certificate.Leaf.PublicKeyAlgorithm
}

// CompareAlgorithm sorts by what a signature costs: ECDSA, Ed25519, RSA.
func (c *Certificate) CompareAlgorithm(o *Certificate) int {
	rank := func(a x509.PublicKeyAlgorithm) int {
		return slices.Index([]x509.PublicKeyAlgorithm{x509.ECDSA, x509.Ed25519, x509.RSA}, a)
	}
	return rank(c.Algorithm()) - rank(o.Algorithm())
}

// KeyType names the algorithm and size of the public key, such as "RSA 2048" or "ECDSA P-256";
// NewCertificate is given no other kind than these and Ed25519.
func (c *Certificate) KeyType() string {
	switch key := c.Certificate.Leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "other"
}

// String is the line of Dump: the Secret, the type of the key and the end of its life.
func (c Certificate) String() string {
	return fmt.Sprintf("%s %s until %s", policy.Word(c.Secret.String()), c.KeyType(), c.NotAfter.Format(time.RFC3339))
}

// GoString keeps %#v from printing the key.
func (c Certificate) GoString() string { return c.String() }
