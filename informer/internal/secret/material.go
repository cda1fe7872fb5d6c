package secret

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Material is the parsed content of a Secret that an annotation names; each part is there, or absent, or at fault.
// Immutable, shared by all users of the Secret. Printed, it shows nothing.
type Material struct {
	// Roots are the authorities of ca.crt, nil where there is none or RootsFault explains why.
	Roots      *x509.CertPool
	RootsFault string
	// Pair is made from tls.crt and tls.key, likewise. It holds the private key.
	Pair      *tls.Certificate `json:"-"`
	PairFault string
	// Revoked are the serial numbers on the lists of ca.crl, by issuer, likewise.
	Revoked      routing.Revocations
	RevokedFault string
	// File are the users of the key auth, and Map those that the Secret has a key each for, likewise.
	File, Map UsersOf
	// KeySet are the keys of jwks, as their text, likewise; KeySetUnusable of them cannot be used.
	KeySet         policy.Sealed
	KeySetUnusable int
	KeySetFault    string
	// Sum is over all but users and jwks, and AuthoritiesSum over ca.crt and ca.crl.
	Sum, AuthoritiesSum [sha256.Size]byte
}

func parseMaterial(secret *corev1.Secret) *Material {
	m := &Material{
		Sum:            sumOf(secret, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, AuthoritiesKey, RevocationsKey),
		AuthoritiesSum: sumOf(secret, AuthoritiesKey, RevocationsKey),
	}
	if text := secret.Data[AuthoritiesKey]; len(text) > 0 {
		m.Roots, m.RootsFault = parseRoots(text)
	}
	if len(secret.Data[corev1.TLSCertKey])+len(secret.Data[corev1.TLSPrivateKeyKey]) > 0 {
		m.Pair, m.PairFault = parseKeyPair(secret)
	}
	if text := secret.Data[RevocationsKey]; len(text) > 0 {
		m.Revoked, m.RevokedFault = parseRevocations(text)
	}
	if text := secret.Data[KeySetKey]; len(text) > 0 {
		m.KeySet, m.KeySetUnusable, m.KeySetFault = parseKeySet(text)
	}
	m.File, m.Map = fileOf(secret), mapOf(secret)
	return m
}

// sumOf hashes values of a Secret, each with its length.
func sumOf(secret *corev1.Secret, keys ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, key := range keys {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(secret.Data[key]))))
		h.Write(secret.Data[key])
	}
	h.Sum(sum[:0])
	return sum
}
