package annotation

import (
	"strings"
	"testing"
)

// TestCiphersAreBounded: however long a list, the parsed one is short, and so is the text about it.
func TestCiphersAreBounded(t *testing.T) {
	long := strings.Repeat("AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:HIGH:", 5000) + strings.Repeat("x", 1000)
	suites, err := parseCiphers(long)
	if len(suites) != 2 {
		t.Errorf("%d suites", len(suites))
	}
	if err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "and others") {
		t.Errorf("%d bytes: %.200v", len(err.Error()), err)
	}
}
