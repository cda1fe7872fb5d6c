package fieldrule

import "testing"

func TestClaims(t *testing.T) {
	for _, name := range []string{"ssl-client-verify", "X-SSL-Client-Verify", "Client-Cert", "X-Forwarded-Client-Cert"} {
		if ClaimOf([]byte(name)) != CertificateClaim {
			t.Errorf("%s is no claim about certificates", name)
		}
	}
	for _, name := range []string{"", "x", "x-y", "client", "ssl-client", "x-forwarded", "sec-fetch-mode", "x-csrf-token", "client-device"} {
		if got := ClaimOf([]byte(name)); got != NoClaim {
			t.Errorf("%q is claim %v", name, got)
		}
	}
}
