package informer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// InspectDir reads a directory of manifests, or one file, once. cfg.Manifests is ignored.
func InspectDir(dir string, cfg Config) (*Inspection, error) {
	cfg.Manifests = dir
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	m := newManifests(&cfg, slog.New(slog.DiscardHandler), &stats{})
	events, err := m.scan(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	b := newBuilder(cfg, nil)
	for _, e := range events {
		b.apply(e.key, e.object)
	}
	result := inspect(b, b.build())
	result.Skipped = m.skipped()
	for _, path := range m.ignored {
		result.IgnoredFiles = append(result.IgnoredFiles, shownPath(path))
	}
	result.MoreIgnored = m.more
	return result, nil
}

// InspectCluster reads a cluster once, as InspectDir does a directory. kubeconfig "" is the cluster that
// the process runs in. It waits until everything has been listed, or ctx ends; for Secrets not longer than
// secretsPatience.
func InspectCluster(ctx context.Context, kubeconfig string, cfg Config) (*Inspection, error) {
	cfg.Manifests, cfg.Kubeconfig = "", kubeconfig
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var stats stats
	c, err := newCluster(&cfg, slog.New(slog.DiscardHandler), &stats)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	q := newQueue()
	done := make(chan error, 1)
	go func() { done <- c.run(ctx, q) }()
	defer func() { <-done }()
	defer cancel()
	select {
	case <-q.wake:
	case err := <-done:
		done <- err
		return nil, fmt.Errorf("list cluster: %w", err)
	case <-ctx.Done():
		if last := stats.snapshot().LastError; last != "" {
			return nil, fmt.Errorf("list cluster: %w: %s", ctx.Err(), last)
		}
		return nil, fmt.Errorf("list cluster: %w", ctx.Err())
	}
	b := newBuilder(cfg, nil)
	secrets := newSecretWatches(c, q)
	defer secrets.close()
	patience := time.NewTimer(secretsPatience)
	defer patience.Stop()
	var snapshot *routing.Snapshot
	for {
		pending, _ := q.take()
		for key, object := range pending {
			b.apply(key, object)
		}
		snapshot = cmp.Or(b.build(), snapshot)
		secrets.follow(b.secretsWanted())
		if !b.waiting() {
			return inspect(b, snapshot), nil
		}
		select {
		case <-q.wake:
		case <-patience.C:
			return inspect(b, snapshot), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("list Secrets: %w", ctx.Err())
		}
	}
}
