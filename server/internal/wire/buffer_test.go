package wire

import (
	"bytes"
	"sync/atomic"
	"testing"
)

// TestBuffer: bytes leave in the order in which they came, in whatever pieces, and an empty Buffer has no memory.
func TestBuffer(t *testing.T) {
	var pool Pool
	var b Buffer
	want := body(300 << 10)
	in, out := want, []byte(nil)
	for step := 1; len(in) > 0 || b.Len() > 0; step++ {
		n := min(step*37%9000, len(in))
		pool.Append(&b, in[:n])
		in = in[n:]
		take := min(step*53%7000, b.Len())
		out = append(out, b.Bytes()[:take]...)
		pool.Consume(&b, take)
		if b.Len() > 0 && pool.Lent() != int64(b.borrowed()) {
			t.Fatalf("%d bytes are counted, %d lent", pool.Lent(), b.borrowed())
		}
	}
	if !bytes.Equal(out, want) {
		t.Error("something else came out")
	}
	if b.borrowed() != 0 || pool.Lent() != 0 {
		t.Errorf("an empty Buffer has %d bytes, %d are counted", b.borrowed(), pool.Lent())
	}
}

// TestPoolTells: other loops see the sum when it has changed by a step, and OnGrowth is called when it has grown.
func TestPoolTells(t *testing.T) {
	var seen atomic.Int64
	grew := 0
	p := Pool{published: &seen, OnGrowth: func() { grew++ }}
	var all [][]byte
	for p.Lent() < 2*tellStep {
		all = append(all, p.Get(largeBuffer))
	}
	if grew == 0 || seen.Load() < tellStep {
		t.Errorf("told %d times, of %d bytes at last", grew, seen.Load())
	}
	before := grew
	for _, b := range all {
		p.Put(b)
	}
	if grew != before || p.Lent() != 0 || seen.Load() >= tellStep {
		t.Errorf("told %d times of less, which is %d; others see %d", grew-before, p.Lent(), seen.Load())
	}
	p.Tell()
	if seen.Load() != 0 {
		t.Errorf("others see %d", seen.Load())
	}
}
