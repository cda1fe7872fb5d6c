package server

import (
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/up"
)

// settings is the configuration that the loops read. Immutable, and shared by all loops; a reload replaces it.
type settings struct {
	core exchange.Settings
	down down.Settings
	up   up.Settings
}

// newSettings reads c.
func (s *Server) newSettings(c *config.Config) *settings {
	set := &settings{down: down.NewSettings(c, s.serverTLS(c)), up: up.NewSettings(c)}
	set.core = exchange.NewSettings(c, s.compiler.Plain, set.down.Capacity.Requests)
	return set
}
