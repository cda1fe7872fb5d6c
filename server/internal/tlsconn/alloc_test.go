//go:build !race

package tlsconn

import (
	"crypto/tls"
	"testing"
)

// TestAllocations: writing allocates nothing; reading what crypto/tls does for each Read of its own, 24
// bytes for an io.Reader, however many records it gives.
func TestAllocations(t *testing.T) {
	server, client := pair(t, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), clientConfig(), 0)
	const runs = 200
	data := make([]byte, 300)
	p, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(runs, func() { out, _ = server.Append(out[:0], data) }); n > 0 {
		t.Errorf("Append allocates %v times", n)
	}
	for _, batch := range []int{1, 3} {
		// One more for the warm-up, and some for the buffer to grow before.
		records := make([][]byte, 0, runs+2)
		for range cap(records) {
			var raw []byte
			for range batch {
				raw, _ = client.Append(raw, data)
			}
			records = append(records, raw)
		}
		next := func() {
			if n, err := server.Read(p, records[0], false); n != batch*len(data) || err != nil {
				t.Fatal(n, err)
			}
			records = records[1:]
		}
		next()
		if n := testing.AllocsPerRun(runs, next); n > 1 {
			t.Errorf("Read of %d records allocates %v times", batch, n)
		}
		if n := testing.AllocsPerRun(runs, func() { server.Buffered(); server.HasReply() }); n > 0 {
			t.Errorf("asking allocates %v times", n)
		}
	}
}
