package tlsconn

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"
)

// TestCloseLetsGo: no goroutine rests once Handshakes are closed, and one more handshake leaves none behind.
func TestCloseLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hs := NewHandshakes(Limits{})
		pair(t, hs, serverConfig(tls.VersionTLS13), clientConfig(), 0)
		begun := time.Now()
		hs.Close()
		for _, when := range []string{"at once", "after another handshake"} {
			synctest.Wait()
			select {
			case hs.rest <- nil:
				t.Fatalf("%s: a goroutine rests", when)
			default:
			}
			pair(t, hs, serverConfig(tls.VersionTLS13), clientConfig(), 0)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}
