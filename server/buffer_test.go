//go:build !race

package server

import "testing"

// TestBufferNoAllocations: what waits on a stream is kept in buffers that are used again, up to its window.
func TestBufferNoAllocations(t *testing.T) {
	var pool bufferPool
	piece := make([]byte, 16<<10)
	fill := func() {
		var b buffer
		for range 256 << 10 / len(piece) {
			pool.append(&b, piece)
		}
		for b.len() > 0 {
			pool.consume(&b, min(b.len(), 10000))
		}
	}
	fill()
	if n := testing.AllocsPerRun(50, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
