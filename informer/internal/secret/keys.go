package secret

import (
	"bytes"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// The keys of a Secret's data that have no name in the API.
const (
	// AuthoritiesKey is where the certificates of authorities are.
	AuthoritiesKey = corev1.ServiceAccountRootCAKey
	// RevocationsKey is where ingress-nginx has the list of revoked client certificates.
	RevocationsKey = "ca.crl"
)

// Keys are the keys of a Secret's data that are read.
var Keys = []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, AuthoritiesKey, RevocationsKey}

// same reports whether a change of a Secret can matter. Most updates do not: labels of other tools, resourceVersion.
func same(a, b *corev1.Secret) bool {
	return a != nil && b != nil && a.Type == b.Type &&
		!slices.ContainsFunc(Keys, func(key string) bool { return !bytes.Equal(a.Data[key], b.Data[key]) })
}
