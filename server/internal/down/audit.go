package down

import (
	"fmt"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// AuditConns returns the faults in the books of w, at a time when no connection is open. Tests ask.
func (w *Loop) AuditConns() []string {
	faults := wire.Twice("client's connection", w.freeC.All())
	faults = append(faults, wire.Twice("client's stream", w.freeD.All())...)
	for c := range w.freeC.All() {
		if c.TLS != nil || c.Certificate != nil {
			faults = append(faults, "a pooled connection keeps what a client has shown")
		}
	}
	if n := w.conns.Load(); n != 0 {
		faults = append(faults, fmt.Sprintf("%d connections are counted as open", n))
	}
	if w.crowd.most != 0 || w.sources.Count() != 0 {
		faults = append(faults, fmt.Sprintf("%d connections of a source are counted", w.crowd.most))
	}
	for range w.All() {
		faults = append(faults, "a connection is still in the list")
	}
	return faults
}
