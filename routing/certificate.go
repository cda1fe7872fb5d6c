package routing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"time"
)

// Certificate is a key pair from a Secret and the names that it is served for. Immutable once
// published, safe for concurrent use, and shared by consecutive Snapshots while neither its Secret
// nor its Hosts change. Made by NewCertificate. No way of printing it shows the private key.
type Certificate struct {
	// Secret is the object that it came in.
	Secret ObjectName
	// Hosts are the names of the Ingresses' tls sections that refer to the Secret, as Host.Name spells
	// them, sorted, each once. A name that the key pair does not cover is among them.
	Hosts []string
	// Certificate is the pair, with its Leaf. It holds the private key, and must neither be printed nor
	// encoded.
	Certificate *tls.Certificate `json:"-"`
	// NotBefore and NotAfter bound the time in which clients accept the leaf.
	NotBefore, NotAfter time.Time
}

// NewCertificate makes a Certificate of a pair, whose Leaf is set.
func NewCertificate(secret ObjectName, hosts []string, pair *tls.Certificate) *Certificate {
	return &Certificate{
		Secret: secret, Hosts: hosts, Certificate: pair,
		NotBefore: pair.Leaf.NotBefore.UTC(), NotAfter: pair.Leaf.NotAfter.UTC(),
	}
}

// KeyType names the algorithm and size of the public key, such as "RSA 2048" or "ECDSA P-256"; a key pair
// of any other kind than these and Ed25519 is never made.
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
	return fmt.Sprintf("%s %s until %s", plain(c.Secret.String()), c.KeyType(), c.NotAfter.Format(time.RFC3339))
}

// GoString keeps %#v from printing the key.
func (c Certificate) GoString() string { return c.String() }
