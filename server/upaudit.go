package server

import "github.com/sluice-gateway/sluice/server/internal/wire"

// auditConns returns the faults in the pools of w. Tests ask.
func (w *upLoop) auditConns() []string {
	return append(wire.Twice("Endpoint's connection", w.freeU.All()), wire.Twice("Endpoint's stream", w.freeS.All())...)
}
