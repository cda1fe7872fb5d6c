package routing_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestCipherSuiteNames: every suite that crypto/tls calls secure has an OpenSSL name, so a list taken from
// nginx loses nothing that could be served.
func TestCipherSuiteNames(t *testing.T) {
	named := routing.CipherSuiteIDs()
	for _, s := range tls.CipherSuites() {
		if s.SupportedVersions[0] != tls.VersionTLS13 && !slices.Contains(named, s.ID) {
			t.Errorf("%s has no OpenSSL name", s.Name)
		}
	}
	if id, ok := routing.CipherSuite("ECDHE-RSA-AES128-GCM-SHA256"); !ok || id != tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 {
		t.Errorf("got %x, %v", id, ok)
	}
	if id, ok := routing.CipherSuite("RC4-SHA"); ok {
		t.Errorf("RC4 is %x", id)
	}
}
