package server

import (
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/up"
)

// allSettings is the configuration as the loops read it. Immutable, and shared by all loops; a reload gives them another one.
type allSettings struct {
	core exchange.Settings
	down down.Settings
	up   up.Settings
}

func (s *Server) newSettings(c *config.Config) *allSettings {
	set := &allSettings{down: down.NewSettings(c, s.serverTLS(c)), up: up.NewSettings(c)}
	set.core = exchange.NewSettings(c, s.attacher.Standard, set.down.Capacity.Requests)
	return set
}
