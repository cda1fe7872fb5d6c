package exchange

import (
	"fmt"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// AuditPools returns the faults in the pools of w, at a time when nothing is under way: what is in one twice, and what keeps more
// memory than it may. Tests ask; wire.Loop.Audit has what connections borrow.
func (w *Loop) AuditPools() []string {
	faults := wire.Twice("Exchange", w.freeX.All())
	faults = append(faults, wire.Twice("request", w.freeH.All())...)
	for x := range w.freeX.All() {
		if n := cap(x.edits.add); n > wire.SmallBuffer {
			faults = append(faults, fmt.Sprintf("a pooled Exchange keeps %d bytes", n))
		}
	}
	return faults
}
