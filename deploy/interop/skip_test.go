package interop

import "testing"

func needTLS(t *testing.T, g *gateway, tls bool) {
	if tls {
		t.Skip("no TLS in this gateway yet")
	}
}
