package sluice

import (
	"log/slog"
	"time"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/filter"
	"github.com/sluice-gateway/sluice/server/filter/limit"
	"github.com/sluice-gateway/sluice/server/filter/limit/cluster"
)

// newCounter makes what counts for all gateways, nil where none is configured.
func newCounter(r *config.Redis) (*cluster.Counter, error) {
	if r.Address == "" {
		return nil, nil
	}
	return cluster.New(cluster.Options{
		Address: r.Address, Database: r.Database, Credentials: r.CredentialsFile, TLS: r.TLS, Authorities: r.CAFile,
		Timeout: time.Duration(r.Timeout), Connections: r.Connections, Prefix: r.KeyPrefix,
	})
}

// services are what the gateway's own filters ask.
func services(counter *cluster.Counter, r *config.Redis, log *slog.Logger) filter.Services {
	if counter == nil {
		return filter.Services{}
	}
	return filter.Services{Cluster: limit.NewShared(counter, time.Duration(r.Timeout), log)}
}
