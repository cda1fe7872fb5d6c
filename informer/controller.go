package informer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// feed fills a queue: it calls Listed once its first full list is in the queue, and pushes changes
// until ctx ends. It returns an error only when it cannot start at all.
type feed interface {
	Run(ctx context.Context, q *source.Queue) error
}

// secretsPatience bounds how long the first publish waits for Secrets, which are only requested once
// the Ingresses are known: a gateway that serves some hosts is better than none.
const secretsPatience = 2 * time.Second

// parseBudget bounds how long a step parses Secrets: 10,000 of them take seconds, and a change of
// Endpoints should not wait for them.
const parseBudget = 20 * time.Millisecond

// lookAgain bounds the wait for a Certificate to expire, in case the clock jumps.
const lookAgain = time.Hour

// Controller keeps a Store up to date with a source of objects. Made by New. Run is called once;
// the other methods may be called from any goroutine, before Run too. Must not be copied.
type Controller struct {
	// Immutable after New:
	cfg   Config
	opts  Options
	log   *slog.Logger
	store *routing.Store
	feed  feed
	// own returns the node's own addresses; nil where they do not matter.
	own   func() ([]netip.Addr, error)
	queue *source.Queue
	// status and events write to the cluster; nil with manifests, status also where there is nothing
	// to write.
	status *statusWriter
	events *eventWriter

	// Owned by Run's goroutine, but for builder.rejected:
	builder *builder
	names   resolution
	// secrets and configMaps are nil with manifests.
	secrets    *source.SecretWatches
	configMaps *source.ConfigMapWatches
	// configured are the assignments of the last OnConfigure.
	configured []string
	// missing is why the first publish waits for ingress-nginx's ConfigMap, as it was logged last.
	missing string
	// held is the first Snapshot while it waits for Secrets, until patience ends; heldSeen is when its
	// oldest event came.
	held     *routing.Snapshot
	heldSeen time.Time
	patience time.Time
	// expiry wakes Run when a Certificate expires, or a class that was deleted ceases to count; nil until
	// there is one.
	expiry *time.Timer

	// Safe for concurrent use:
	stats  stats
	reach  source.Reach
	synced atomic.Bool
	waits  atomic.Bool
}

// New makes a Controller that publishes to store. It reads the kubeconfig, and reaches no cluster.
func New(cfg Config, store *routing.Store, opts Options) (*Controller, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	c := &Controller{cfg: cfg, opts: opts, log: opts.Logger, store: store, queue: source.NewQueue()}
	c.builder = newBuilder(cfg, opts.Attach)
	c.names = resolution{resolver: opts.Resolver, queue: c.queue}
	if cfg.Manifests != "" {
		c.feed = source.NewManifests(cfg.Manifests, cfg.Namespaces, c.log, &c.reach)
		return c, nil
	}
	cluster, err := source.OpenCluster(cfg.Kubeconfig, cfg.Namespaces, c.log, &c.reach)
	if err != nil {
		return nil, err
	}
	c.feed = cluster
	c.own = source.OwnAddresses
	if c.builder.backends.screen.own, err = c.own(); err != nil {
		return nil, err
	}
	c.secrets, c.configMaps = source.NewSecretWatches(cluster, c.queue), source.NewConfigMapWatches(cluster, c.queue)
	c.events = newEventWriter(cluster.Client, c.log)
	c.builder.rejected.collect = true
	if cfg.PublishService != "" || len(cfg.StatusAddresses) > 0 {
		c.status = newStatusWriter(&c.cfg, cluster.Statuses, c.log)
	}
	return c, nil
}

// Run watches and publishes until ctx ends, and then returns nil. It returns an error at once when
// the source cannot be read at all; later failures of it leave the last Snapshot in place.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	// So that nothing outlives Run:
	var writers sync.WaitGroup
	defer writers.Wait()
	defer cancel()
	if c.status != nil {
		writers.Go(func() { c.status.run(ctx) })
	}
	if c.events != nil {
		writers.Go(func() { c.events.run(ctx) })
	}
	if c.own != nil {
		writers.Go(func() { source.WatchNode(ctx, c.queue, c.own, c.log) })
	}
	failed := make(chan error, 1)
	go func() { failed <- c.feed.Run(ctx, c.queue) }()
	defer c.close()
	var pace pace
	for {
		select {
		case <-ctx.Done():
			return c.join(failed)
		case err := <-failed:
			if err != nil {
				return fmt.Errorf("run source: %w", err)
			}
			failed <- nil
			<-ctx.Done()
			return nil
		case <-c.queue.Wake():
		}
		if !pace.wait(ctx) {
			return c.join(failed)
		}
		start := time.Now()
		c.step()
		pace.done(time.Since(start))
	}
}

// close ends the watches and the timer.
func (c *Controller) close() {
	c.names.close()
	if c.secrets != nil {
		c.secrets.Close()
		c.configMaps.Close()
	}
	if c.expiry != nil {
		c.expiry.Stop()
	}
}

// join waits for the source to end, so that it does not outlive Run.
func (c *Controller) join(failed <-chan error) error {
	if err := <-failed; err != nil {
		return fmt.Errorf("run source: %w", err)
	}
	return nil
}

// step builds and publishes the queued changes.
func (c *Controller) step() {
	pending, seen := c.queue.Take()
	start := time.Now()
	for key, object := range pending {
		c.builder.apply(key, object)
	}
	if c.synced.Load() {
		// Until the first publish there is no budget: everything waits for the whole Snapshot.
		c.builder.parseBudget = parseBudget
	}
	snapshot := c.builder.build()
	if c.builder.secrets.Behind() {
		c.queue.Signal()
	}
	c.stats.built(time.Since(start))
	c.names.follow(c.builder.backends.externals)
	if c.secrets != nil {
		c.secrets.Follow(c.builder.watchesWanted())
		c.configMaps.Follow(c.builder.configs.watches())
	}
	c.expect(c.builder.nextChange())
	if snapshot, seen = c.hold(snapshot, seen); c.held != nil {
		return
	}
	c.configure()
	if snapshot != nil {
		c.store.Publish(snapshot)
		c.stats.published(seen, time.Now())
		c.synced.Store(true)
		if c.opts.OnPublish != nil {
			c.opts.OnPublish(snapshot)
		}
	}
	// After the publish: a status is taken as the signal to send requests.
	if c.status != nil {
		c.status.note(c.builder, pending)
	}
	if c.events != nil {
		c.events.note(c.builder.rejected.takeAdded(), c.builder.reference)
	}
}

// configure lays what ingress-nginx's ConfigMap says over the gateway's configuration, where that has changed.
func (c *Controller) configure() {
	next := c.builder.configs.gateway()
	if slices.Equal(next, c.configured) {
		return
	}
	c.configured = next
	if c.opts.OnConfigure != nil {
		c.opts.OnConfigure(next)
	}
}

// hold keeps the first Snapshot back while Secrets that it needs may be about to arrive, and until ingress-nginx's ConfigMap has
// been read: nothing of what that says can be guessed. Otherwise it returns the Snapshot to publish.
func (c *Controller) hold(snapshot *routing.Snapshot, seen time.Time) (*routing.Snapshot, time.Time) {
	if c.synced.Load() {
		return snapshot, seen
	}
	snapshot, seen = cmp.Or(snapshot, c.held), cmp.Or(c.heldSeen, seen)
	c.held, c.heldSeen = nil, time.Time{}
	if c.builder.configs.waiting() {
		c.waits.Store(true)
		if reason := c.builder.configs.absence(c.builder.configs.main); reason != c.missing {
			c.missing = reason
			c.log.Warn("nothing is served before the ConfigMap of kubernetes.nginx_configmap has been read", "configmap", c.builder.configs.main, "reason", reason)
		}
		c.held, c.heldSeen = snapshot, seen
		return snapshot, seen
	}
	c.waits.Store(false)
	if c.secrets == nil || snapshot == nil || !c.builder.secrets.Waiting() {
		return snapshot, seen
	}
	now := time.Now()
	if c.patience.IsZero() {
		c.patience = now.Add(secretsPatience)
		time.AfterFunc(secretsPatience, c.queue.Signal)
	}
	if now.Before(c.patience) {
		c.held, c.heldSeen = snapshot, seen
	}
	return snapshot, seen
}

// expect wakes Run at next, where that is set.
func (c *Controller) expect(next time.Time) {
	if next.IsZero() {
		if c.expiry != nil {
			c.expiry.Stop()
		}
		return
	}
	wait := min(time.Until(next), lookAgain)
	if c.expiry == nil {
		c.expiry = time.AfterFunc(wait, c.queue.Signal)
	} else {
		c.expiry.Reset(wait)
	}
}

// Waits reports that nothing is published before the ConfigMap of ingress-nginx's controller has been read.
func (c *Controller) Waits() bool { return c.waits.Load() }

// ChooseConfigMap has another ConfigMap, namespace/name or "" for none, count as that of ingress-nginx's controller.
func (c *Controller) ChooseConfigMap(name string) {
	namespace, name, _ := strings.Cut(name, "/")
	c.queue.Push(source.Event{Key: source.Key{Kind: source.Chosen}, Object: types.NamespacedName{Namespace: namespace, Name: name}})
}

// Synced reports whether a Snapshot built from fully synced sources is live.
func (c *Controller) Synced() bool { return c.synced.Load() }

// Rejections returns what is not served as written, sorted. The caller owns it.
func (c *Controller) Rejections() []Rejection { return c.builder.rejected.all() }

// Stats returns the counters.
func (c *Controller) Stats() Stats {
	s := c.stats.snapshot()
	s.Events = c.queue.Count()
	s.Connected, s.LastError = c.reach.State()
	return s
}
