package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/sluice-gateway/sluice/informer"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/admin"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/sink"
	"github.com/sluice-gateway/sluice/upstream"
)

// gateway is everything that serve runs. Made by newGateway; run is called once. Must not be copied.
type gateway struct {
	// Immutable after newGateway:
	options  *serveOptions
	file     *sink.Sink
	log      *slog.Logger
	store    *routing.Store
	plane    *server.Server
	resolver *upstream.Resolver
	informer *informer.Controller
	admin    *admin.Server

	// Safe for concurrent use:
	config   atomic.Pointer[config.Config] // the one in force: after a reload, with its live keys
	bound    atomic.Bool
	draining atomic.Bool

	mu sync.Mutex
	// Guarded by mu:
	reloadOK bool
	reloaded time.Time
}

func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// newGateway wires the parts. Nothing is bound, watched or started yet.
func newGateway(o *serveOptions, c *config.Config, file *sink.Sink, log *slog.Logger) (*gateway, error) {
	g := &gateway{options: o, file: file, log: log, store: new(routing.Store), reloadOK: true, reloaded: time.Now()}
	g.config.Store(c)
	err := o.added.prepare()
	if err != nil {
		return nil, err
	}
	if g.plane, err = server.New(c, g.store, log, o.added.forServer()); err != nil {
		return nil, fmt.Errorf("make data plane: %w", err)
	}
	g.resolver = upstream.NewResolver(upstream.ResolverOptions{Failed: unresolved(log)})
	g.informer, err = informer.New(o.source.config(c), g.store, informer.Options{
		Attach:    g.plane.Attach,
		OnPublish: g.plane.OnPublish,
		Resolver:  g.resolver,
		Logger:    log,
	})
	if err != nil {
		return nil, fmt.Errorf("make informer: %w", err)
	}
	g.admin, err = admin.New(admin.Options{
		Metrics: c.Listen.Metrics, Admin: c.Listen.Admin,
		AdminSocket: c.Listen.AdminSocket, AdminToken: c.Listen.AdminTokenFile,
		Snapshot:   g.store.Load,
		Ready:      g.ready,
		Rejections: g.rejections,
		Elsewhere:  g.informer.Elsewhere,
		Onion:      o.added.onion(),
		Config:     g.config.Load,
		Vitals:     g.vitals,
		Collectors: []prometheus.Collector{g.plane.Collector()},
		Samples:    g.plane.WriteRoutes,
		Logger:     log,
	})
	if err != nil {
		return nil, fmt.Errorf("make admin plane: %w", err)
	}
	return g, nil
}

// unresolved logs names that cannot be looked up. Their number is in the hands of those who write Services, so
// after the first few it is one a second, with the number of those left out.
func unresolved(log *slog.Logger) func(name string, err error) {
	limit := rate.NewLimiter(1, 20)
	var silent atomic.Int64
	return func(name string, err error) {
		if !limit.Allow() {
			silent.Add(1)
			return
		}
		log.Warn("resolve external name", "name", name, "error", err, "others", silent.Swap(0))
	}
}

// run serves until a signal ends it. It returns nil after a drain, whether or not everything
// finished in time.
func (g *gateway) run(signals <-chan os.Signal) error {
	defer g.resolver.Close()
	c := g.config.Load()
	if err := g.admin.Start(); err != nil {
		return fmt.Errorf("start admin plane: %w", err)
	}
	defer g.admin.Shutdown(context.Background())
	if err := g.plane.Listen(c.Listen.HTTP); err != nil {
		return fmt.Errorf("listen.http: %w", err)
	}
	if err := g.plane.ListenTLS(c.Listen.HTTPS); err != nil {
		return fmt.Errorf("listen.https: %w", err)
	}
	if err := writePID(c.PIDFile); err != nil {
		return err
	}
	if c.PIDFile != "" {
		defer os.Remove(c.PIDFile)
	}

	planeEnded, informerEnded := make(chan error, 1), make(chan error, 1)
	go func() { planeEnded <- g.plane.Run() }()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { informerEnded <- g.informer.Run(ctx) }()
	collect := time.NewTicker(collectTick)
	defer collect.Stop()
	go collectGarbage(ctx, collect.C)
	g.bound.Store(true)
	g.log.Info("serving", "version", versionName(), "http", c.Listen.HTTP, "https", c.Listen.HTTPS, "metrics", c.Listen.Metrics, "admin", c.Listen.Admin, "admin_socket", c.Listen.AdminSocket)

	var failed error
	for failed == nil {
		select {
		case failed = <-planeEnded:
			failed = errors.Join(errors.New("the data plane ended"), failed)
			planeEnded <- nil
		case failed = <-informerEnded:
			failed = errors.Join(errors.New("the informer ended"), failed)
			informerEnded <- nil
		case s := <-signals:
			if s == syscall.SIGHUP {
				g.reload()
				continue
			}
			g.log.Info("draining", "signal", s.String(), "limit", g.config.Load().DrainTimeout())
			g.drain(signals)
			cancel()
			return errors.Join(<-planeEnded, <-informerEnded)
		}
	}
	// The parts that still work go on until everything in flight has ended.
	g.drain(signals)
	cancel()
	return errors.Join(failed, <-planeEnded, <-informerEnded)
}

// drain ends the data plane. The informer and the admin plane go on meanwhile: Endpoints still come
// and go, and a drain that takes long is worth watching.
func (g *gateway) drain(signals <-chan os.Signal) {
	g.draining.Store(true)
	ctx, cut := context.WithTimeout(context.Background(), g.config.Load().DrainTimeout())
	defer cut()
	done := make(chan struct{})
	defer close(done)
	begun := time.Now()
	go func() {
		for {
			select {
			case s := <-signals:
				// Ctrl-C reaches the whole process group, and a script that passes it on repeats it:
				// signals within a second count as one.
				if s != syscall.SIGHUP && time.Since(begun) > time.Second {
					g.log.Warn("second signal: cutting what is in flight", "signal", s.String())
					cut()
				}
			case <-done:
				return
			}
		}
	}()
	if err := g.plane.Drain(ctx); err != nil {
		g.log.Warn("drained, but not everything finished", "error", err)
		return
	}
	g.log.Info("drained", "took", time.Since(begun).Round(time.Millisecond))
}

// reload reads the configuration again and applies its live keys.
func (g *gateway) reload() {
	running := g.config.Load()
	next, err := g.options.load()
	var merged *config.Config
	if err == nil {
		merged = running.WithLive(next)
		if err = g.file.Reopen(merged.ErrorLog); err != nil {
			err = fmt.Errorf("open error_log: %w", err)
		}
		g.plane.Reload(merged)
	}
	g.mu.Lock()
	g.reloadOK, g.reloaded = err == nil, time.Now()
	g.mu.Unlock()
	if err != nil {
		g.log.Error("reload failed; the configuration that runs is kept", "error", err)
		return
	}
	g.config.Store(merged)
	changes := config.Diff(running, next)
	g.log.Info("reloaded", "applied", strings.Join(changes.Live, " "))
	if len(changes.Restart) > 0 {
		g.log.Warn("these keys changed, and take effect only after a restart", "keys", strings.Join(changes.Restart, " "))
	}
}

// ready is the answer of /readyz.
func (g *gateway) ready() (ok bool, reason string) {
	switch {
	case g.draining.Load():
		return false, "draining"
	case !g.bound.Load():
		return false, "the listeners are not bound yet"
	case !g.informer.Synced():
		return false, "the sources are not synced yet"
	case g.store.Load() == nil:
		return false, "no Snapshot is live yet"
	}
	return true, ""
}

func (g *gateway) rejections() []admin.Rejection {
	var list []admin.Rejection
	for _, r := range g.informer.Rejections() {
		list = append(list, admin.Rejection{
			Kind: r.Object.Kind, Namespace: r.Object.Namespace, Name: r.Object.Name, Field: r.Field, Value: r.Value, Reason: r.Reason,
		})
	}
	return list
}

func (g *gateway) vitals() admin.Vitals {
	s := g.informer.Stats()
	g.mu.Lock()
	defer g.mu.Unlock()
	return admin.Vitals{
		Version:           versionName(),
		Events:            s.Events,
		Builds:            s.Builds,
		Publishes:         s.Publishes,
		LastBuild:         s.LastBuild,
		LastPublish:       s.LastPublish,
		Propagation:       s.Propagation[:],
		PropagationBounds: informer.PropagationBounds[:],
		PropagationSum:    s.PropagationSum,
		Connected:         s.Connected,
		ReloadOK:          g.reloadOK,
		ReloadTime:        g.reloaded,
		AccessLinesLost:   g.plane.LogLinesLost(),
		ErrorLinesLost:    g.file.Lost(),
	}
}

// writePID writes the process id; path "" writes none.
func writePID(path string) error {
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("write pid_file: %w", err)
	}
	return nil
}
