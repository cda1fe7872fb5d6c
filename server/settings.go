package server

import "github.com/sluice-gateway/sluice/server/config"

// allSettings is the configuration as the loops read it. Immutable, and shared by all loops; a reload gives them another one.
type allSettings struct {
	core settings
	down downSettings
	up   upSettings
}

func (s *Server) newSettings(c *config.Config) *allSettings {
	set := &allSettings{down: newDownSettings(c, s.serverTLS(c)), up: newUpSettings(c)}
	set.core = newSettings(c, s.attacher.standard, set.down.capacity.requests)
	return set
}
