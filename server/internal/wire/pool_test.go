//go:build !race

package wire

import "testing"

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
