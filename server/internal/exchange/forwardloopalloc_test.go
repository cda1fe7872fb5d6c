//go:build !race && !invariants

package exchange

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestLoopMarkAllocatesNothing, in a field that others have written to at length.
func TestLoopMarkAllocatesNothing(t *testing.T) {
	head := []byte("cdn-loop: other; v=1, sluice,, SLUICE;x, sluices")
	f := &message.Field{Value: message.Span{Off: uint32(len("cdn-loop: ")), End: uint32(len(head))}}
	if n := testing.AllocsPerRun(100, func() {
		if !isLoopField(head[:len("cdn-loop")]) || loops(f, head) != 2 {
			t.Error("not counted")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
