package exchange

import (
	"fmt"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// AuditPools returns the faults in the pools of w: structs that are in a pool twice, and those that keep more memory than
// they may. Tests alone need it, at a time when no Exchange is under way; wire.Loop.Audit checks the memory that connections
// borrow.
func (w *Loop) AuditPools() []string {
	faults := wire.Twice("Exchange", w.freeCores.All())
	faults = append(faults, wire.Twice("request", w.freeRequests.All())...)
	for x := range w.freeCores.All() {
		if n := cap(x.edits.add); n > wire.SmallBuffer {
			faults = append(faults, fmt.Sprintf("a pooled Exchange keeps %d bytes", n))
		}
	}
	return faults
}
