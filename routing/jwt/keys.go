package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// MaxKeySet bounds the text of a set of keys.
	MaxKeySet = 256 << 10
	// maxKeys bounds the keys of a set.
	maxKeys = 100
	// minRSA and maxRSA bound the bits of a key: less is not safe, and more costs time at each token.
	minRSA, maxRSA = 2048, 8192
)

// Algorithms are those that are taken: signatures with a private key, as RFC 7518 and RFC 8037 name them.
var Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Keys are public keys that tokens may be signed for. Immutable; made by ParseKeys.
type Keys struct{ list []key }

type key struct {
	id string
	// algorithm is the only one that the key is for, "" for all of its type.
	algorithm jose.SignatureAlgorithm
	public    any
}

// ParseKeys reads a JSON Web Key Set. Keys that nothing here can use are left out, and counted in unusable: those of other types,
// for encryption, or of a size that is not taken. A set without any other is an error. Of a private key the public part is read.
func ParseKeys(text []byte) (keys *Keys, unusable int, err error) {
	if len(text) > MaxKeySet {
		return nil, 0, fmt.Errorf("the set of keys is longer than %d bytes", MaxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, 0, errors.New("it is no JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, 0, fmt.Errorf("the set has more than %d keys", maxKeys)
	}
	keys = &Keys{}
	for _, text := range set.Keys {
		if k, ok := parseKey(text); ok {
			keys.list = append(keys.list, k)
		} else {
			unusable++
		}
	}
	if len(keys.list) == 0 {
		return nil, unusable, errors.New("the set has no key that a token can be verified with")
	}
	return keys, unusable, nil
}

func parseKey(text []byte) (k key, ok bool) {
	var parsed jose.JSONWebKey
	if err := json.Unmarshal(text, &parsed); err != nil || parsed.Use != "" && parsed.Use != "sig" {
		return k, false
	}
	k = key{id: parsed.KeyID, algorithm: jose.SignatureAlgorithm(parsed.Algorithm), public: parsed.Public().Key}
	if k.algorithm != "" && !k.fits(k.algorithm) {
		return k, false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return k, bits >= minRSA && bits <= maxRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return k, true
	}
	return k, false
}

// fits reports whether the key is for an algorithm.
func (k *key) fits(a jose.SignatureAlgorithm) bool {
	if k.algorithm != "" && k.algorithm != a {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		switch a {
		case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
			return true
		}
	case *ecdsa.PublicKey:
		switch a {
		case jose.ES256:
			return public.Curve == elliptic.P256()
		case jose.ES384:
			return public.Curve == elliptic.P384()
		case jose.ES512:
			return public.Curve == elliptic.P521()
		}
	case ed25519.PublicKey:
		return a == jose.EdDSA
	}
	return false
}

// maxTried bounds the keys that one token is tried with.
const maxTried = 8

// of returns the keys that a token may be signed for, by its kid, "" for none. A key without an id may be any token's whose kid is
// no key's.
func (k *Keys) of(id string, a jose.SignatureAlgorithm) (list []*key) {
	for _, anonymous := range [...]bool{false, true} {
		for i := range k.list {
			k := &k.list[i]
			if named := k.id == id || id == ""; named == anonymous || anonymous && k.id != "" || !k.fits(a) {
				continue
			}
			if list = append(list, k); len(list) == maxTried {
				return list
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}
