package secret

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testPEM reads a certificate or key that was made for tests, and is good for nothing else.
func testPEM(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "tls", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPEMPairBounds: what clients would refuse, or what would cost all of them dear, is not served.
func TestPEMPairBounds(t *testing.T) {
	leaf, key, ca := testPEM(t, "a.crt"), testPEM(t, "a.key"), testPEM(t, "ca.crt")
	for _, tt := range []struct {
		name       string
		chain, key []byte
		fault      string
	}{
		{"as long as clients accept", append(bytes.Clone(leaf), bytes.Repeat(ca, 20)...), key, ""},
		{"a longer chain", append(bytes.Clone(leaf), bytes.Repeat(ca, 500)...), key, "more than 64 KiB"},
		{"an RSA key of 8,208 bits", testPEM(t, "huge.crt"), testPEM(t, "huge.key"), "8208 bits"},
		{"a block without an end", append(bytes.Clone(leaf), ca[:len(ca)/2]...), key, "broken PEM block"},
		{"an end without a block", append(bytes.Clone(leaf), "-----END CERTIFICATE-----\n"...), key, "broken PEM block"},
		{"text between the blocks", append([]byte("subject=CN = a.test\n"), leaf...), key, ""},
		{"parameters before the certificate", append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), leaf...), key, ""},
	} {
		pair, fault := parsePEMPair(tt.chain, tt.key)
		if (pair != nil) != (fault == "") || !strings.Contains(fault, tt.fault) || tt.fault == "" && fault != "" {
			t.Errorf("%s: fault %q, want %q", tt.name, fault, tt.fault)
		}
	}
}

// TestBrokenAuthorities: a block of ca.crt or ca.crl that cannot be read fails all, because an authority
// that is missing locks out the clients that it certified, and a list that is missing lets in those that it revoked.
func TestBrokenAuthorities(t *testing.T) {
	torn := testPEM(t, "torn.crt")
	if roots, fault := parseRoots(append(testPEM(t, "ca.crt"), torn...)); roots != nil || !strings.Contains(fault, "broken PEM block") {
		t.Errorf("ca.crt: fault %q", fault)
	}
	list := append(testPEM(t, "ca.crl"), bytes.ReplaceAll(torn, []byte("CERTIFICATE"), []byte("X509 CRL"))...)
	if revoked, fault := parseRevocations(list); revoked != nil || !strings.Contains(fault, "broken PEM block") {
		t.Errorf("ca.crl: fault %q", fault)
	}
}
