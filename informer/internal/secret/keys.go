package secret

import (
	"bytes"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// The keys of a Secret's data that have no name in the API.
const (
	// AuthoritiesKey is where the certificates of authorities are.
	AuthoritiesKey = corev1.ServiceAccountRootCAKey
	// RevocationsKey is where ingress-nginx has the list of revoked client certificates.
	RevocationsKey = "ca.crl"
	// UsersKey is where ingress-nginx has a file of users.
	UsersKey = "auth"
	// KeySetKey is where the keys are that tokens are verified with.
	KeySetKey = "jwks"
)

// Keys are the keys of a Secret's data that have a meaning of their own. In a Secret of users each key may be the name of one.
var Keys = []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, AuthoritiesKey, RevocationsKey, UsersKey, KeySetKey}

// same reports whether a change of a Secret can matter. Most updates do not: labels of other tools, resourceVersion, and keys
// that nobody reads in what is a certificate by its type.
func same(a, b *corev1.Secret) bool {
	if a == nil || b == nil || a.Type != b.Type {
		return false
	}
	if a.Type != corev1.SecretTypeTLS {
		return maps.EqualFunc(a.Data, b.Data, bytes.Equal)
	}
	return !slices.ContainsFunc(Keys, func(key string) bool { return !bytes.Equal(a.Data[key], b.Data[key]) })
}
