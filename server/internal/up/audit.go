package up

import "github.com/sluice-gateway/sluice/server/internal/wire"

// AuditConns returns the faults in the pools of w. Tests ask.
func (w *Loop) AuditConns() []string {
	return append(wire.Twice("Endpoint's connection", w.freeU.All()), wire.Twice("Endpoint's stream", w.freeS.All())...)
}
