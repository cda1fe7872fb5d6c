package up

import "github.com/sluice-gateway/sluice/server/internal/wire"

// AuditConns returns the faults in the pools of w: structs that are in a pool twice. Tests alone need it.
func (w *Loop) AuditConns() []string {
	return append(wire.Twice("Endpoint's connection", w.freeConns.All()), wire.Twice("Endpoint's stream", w.freeStreams.All())...)
}
