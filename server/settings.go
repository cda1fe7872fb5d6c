package server

import (
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
)

// allSettings is the configuration as the loops read it. Immutable, and shared by all loops; a reload gives them another one.
type allSettings struct {
	core exchange.Settings
	down downSettings
	up   upSettings
}

func (s *Server) newSettings(c *config.Config) *allSettings {
	set := &allSettings{down: newDownSettings(c, s.serverTLS(c)), up: newUpSettings(c)}
	set.core = exchange.NewSettings(c, s.attacher.Standard, set.down.capacity.requests)
	return set
}
