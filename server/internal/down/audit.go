package down

import (
	"fmt"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// AuditConns returns the faults in the pools and counts of w. Tests alone need it, at a time when no connection is open.
func (w *Loop) AuditConns() []string {
	faults := wire.Twice("client's connection", w.freeConns.All())
	faults = append(faults, wire.Twice("client's stream", w.freeStreams.All())...)
	for c := range w.freeConns.All() {
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
