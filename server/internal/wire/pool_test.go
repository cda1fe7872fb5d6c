//go:build !race

package wire

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// TestBufferNoAllocations: bytes that wait on a stream are kept in reused buffers, up to its window.
func TestPoolNoAllocations(t *testing.T) {
	var pool Pool
	piece := make([]byte, 16<<10)
	fill := func() {
		var b Buffer
		for range 256 << 10 / len(piece) {
			pool.Append(&b, piece)
		}
		for b.Len() > 0 {
			pool.Consume(&b, min(b.Len(), 10000))
		}
	}
	fill()
	if n := testing.AllocsPerRun(50, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPoolLendsToTLS: the memory that TLS connections borrow for each read is used again, and is no more than they ask for.
func TestPoolLendsToTLS(t *testing.T) {
	var pool Pool
	b := pool.Get(tlsconn.InputSize)
	if cap(b) != tlsconn.InputSize {
		t.Errorf("%d bytes were lent, %d asked for", cap(b), tlsconn.InputSize)
	}
	pool.Put(b)
	if n := testing.AllocsPerRun(50, func() { pool.Put(pool.Get(tlsconn.InputSize)) }); n != 0 || pool.Lent() != 0 {
		t.Errorf("%v allocations, %d bytes still lent", n, pool.Lent())
	}
}
