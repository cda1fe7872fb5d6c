package secret

import (
	"cmp"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
)

const (
	// maxChain bounds the certificates that every client is sent. OpenSSL's clients refuse more than
	// 100 kB, Go's more than 256 KiB, and as much waits in memory for each client that does not read.
	maxChain = 64 << 10
	// maxRSABits is the largest that Go's clients verify; a signature with 8,192 bits already takes some 20 ms of a core.
	maxRSABits = 8192
)

// parsePair reads the Secret of a tls section. fault describes its error in our own words: the parser's might repeat its
// input.
func parsePair(secret *corev1.Secret) (pair *tls.Certificate, fault string) {
	if secret.Type != corev1.SecretTypeTLS {
		// Without one it is Opaque to the API server.
		typ := cmp.Or(secret.Type, corev1.SecretTypeOpaque)
		return nil, "the Secret is of type " + plain.Short(string(typ)) + ", want " + string(corev1.SecretTypeTLS)
	}
	return parseKeyPair(secret)
}

// parseKeyPair reads the pair of a Secret of any type.
func parseKeyPair(secret *corev1.Secret) (pair *tls.Certificate, fault string) {
	chain, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	const none = "the Secret has no "
	switch {
	case len(chain)+len(key) == 0:
		return nil, none + corev1.TLSCertKey + " and no " + corev1.TLSPrivateKeyKey
	case len(chain) == 0:
		return nil, none + corev1.TLSCertKey
	case len(key) == 0:
		return nil, none + corev1.TLSPrivateKeyKey
	}
	return parsePEMPair(chain, key)
}

// parsePEMPair reads a chain of certificates and the key of its first. Every certificate of the chain is
// parsed: the clients do that too, and end the handshake where one is broken. fault describes the error
// in our own words, because the parser's might repeat its input.
func parsePEMPair(chain, key []byte) (pair *tls.Certificate, fault string) {
	leaf, others, fault := parseChain(chain)
	if fault != "" {
		return nil, fault
	}
	if fault := keyFault(key); fault != "" {
		return nil, fault
	}
	parsed, err := tls.X509KeyPair(chain, key)
	if err == nil && parsed.Leaf != nil {
		if public, ok := leaf.PublicKey.(*rsa.PublicKey); ok && public.N.BitLen() > maxRSABits {
			return nil, fmt.Sprintf("%s is an RSA key of %d bits; clients accept %d at most", corev1.TLSPrivateKeyKey, public.N.BitLen(), maxRSABits)
		}
		return &parsed, ""
	}
	if err == nil || !strings.Contains(err.Error(), "does not match") {
		return nil, corev1.TLSPrivateKeyKey + " is no PEM private key of a supported kind"
	}
	for i, certificate := range others {
		block := pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})
		if _, err := tls.X509KeyPair(block, key); err == nil {
			return nil, fmt.Sprintf("%s is in the wrong order: the certificate of %s is number %d of %d in it, and has to be the first, each followed by its issuer",
				corev1.TLSCertKey, corev1.TLSPrivateKeyKey, i+2, len(others)+1)
		}
	}
	return nil, corev1.TLSPrivateKeyKey + " is not the key of the certificate in " + corev1.TLSCertKey
}

// parseChain reads the certificates of tls.crt. Blocks of other kinds are skipped, as servers do with
// files that hold parameters or the key too.
func parseChain(text []byte) (leaf *x509.Certificate, others []*x509.Certificate, fault string) {
	blocks, whole := pemBlocks(text)
	var list []*x509.Certificate
	key, size := false, 0
	for _, block := range blocks {
		if block.Type != certificateBlock {
			key = key || strings.HasSuffix(block.Type, "PRIVATE KEY")
			continue
		}
		if size += len(block.Bytes); size > maxChain {
			return nil, nil, fmt.Sprintf("%s holds more than %d KiB of certificates, which clients refuse", corev1.TLSCertKey, maxChain>>10)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Sprintf("certificate %d in %s is broken", len(list)+1, corev1.TLSCertKey)
		}
		list = append(list, certificate)
	}
	switch {
	case !whole:
		return nil, nil, fmt.Sprintf("%s holds a broken PEM block beside %d certificates", corev1.TLSCertKey, len(list))
	case len(list) == 0 && key:
		return nil, nil, corev1.TLSCertKey + " holds a private key and no certificate"
	case len(list) == 0:
		return nil, nil, corev1.TLSCertKey + " is no chain of PEM certificates"
	}
	return list[0], list[1:], ""
}

// keyFault describes a tls.key of the wrong kind.
func keyFault(text []byte) string {
	blocks, _ := pemBlocks(text)
	for _, block := range blocks {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return corev1.TLSPrivateKeyKey + " is encrypted, and nobody is there to type the passphrase; store it decrypted"
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return ""
		}
	}
	if len(blocks) > 0 && blocks[0].Type == certificateBlock {
		return corev1.TLSPrivateKeyKey + " holds a certificate and no private key"
	}
	return ""
}
