package informer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// InspectDir reads a directory of manifests, or one file, once. cfg.Manifests is ignored.
func InspectDir(dir string, cfg Config) (*Inspection, error) {
	cfg.Manifests = dir
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	contents, err := source.ReadManifests(dir, cfg.Namespaces)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	b := newBuilder(cfg, nil)
	for _, e := range contents.Events {
		b.apply(e.Key, e.Object)
	}
	result := inspect(b, b.build())
	result.Skipped, result.IgnoredFiles, result.MoreIgnored = contents.Skipped, contents.Ignored, contents.MoreIgnored
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
	var reach source.Reach
	c, err := source.OpenCluster(cfg.Kubeconfig, cfg.Namespaces, slog.New(slog.DiscardHandler), &reach)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	q := source.NewQueue()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, q) }()
	defer func() { <-done }()
	defer cancel()
	select {
	case <-q.Wake():
	case err := <-done:
		done <- err
		return nil, fmt.Errorf("list cluster: %w", err)
	case <-ctx.Done():
		if _, last := reach.State(); last != "" {
			return nil, fmt.Errorf("list cluster: %w: %s", ctx.Err(), last)
		}
		return nil, fmt.Errorf("list cluster: %w", ctx.Err())
	}
	secrets := source.NewSecretWatches(c, q)
	defer secrets.Close()
	configMaps := source.NewConfigMapWatches(c, q)
	defer configMaps.Close()
	return inspectListed(ctx, newBuilder(cfg, nil), q, secrets, configMaps)
}

// inspectListed builds what q has, and again for the Secrets and ConfigMaps that turn out to be needed, until they are here or
// secretsPatience ends.
func inspectListed(ctx context.Context, b *builder, q *source.Queue, secrets *source.SecretWatches, configMaps *source.ConfigMapWatches) (*Inspection, error) {
	patience := time.NewTimer(secretsPatience)
	defer patience.Stop()
	var snapshot *routing.Snapshot
	for {
		pending, _ := q.Take()
		for key, object := range pending {
			b.apply(key, object)
		}
		snapshot = cmp.Or(b.build(), snapshot)
		secrets.Follow(b.watchesWanted())
		configMaps.Follow(b.configs.watches())
		if !b.secrets.Waiting() && !b.configs.waiting() {
			return inspect(b, snapshot), nil
		}
		select {
		case <-q.Wake():
		case <-patience.C:
			return inspect(b, snapshot), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("list Secrets: %w", ctx.Err())
		}
	}
}
