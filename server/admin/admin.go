package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network/standard"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// Vitals is the state of everything beside the data plane, for metrics and dashboard.
type Vitals = stats.Vitals

// Rejection is why an object, or a part of it, is not served as written.
type Rejection struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Field     string `json:"field,omitempty"`
	Value     string `json:"value,omitempty"`
	Reason    string `json:"reason"`
}

// Options configure the addresses and the content. Every function is needed, may be called by
// several goroutines at once, and must not block for long. Not edited after New.
type Options struct {
	// Metrics and Admin are addresses, AdminSocket is a path; "" leaves that one out.
	Metrics, Admin, AdminSocket string
	// AdminToken is the file of the token that requests to Admin must show. It is made where there is none.
	AdminToken string
	// Snapshot returns the live one, or nil.
	Snapshot func() *routing.Snapshot
	// Ready is the answer of /readyz, with the reason when it is not.
	Ready      func() (ok bool, reason string)
	Rejections func() []Rejection
	// Elsewhere names, in lines, other controllers' Ingresses of a normalised host; nil = not known.
	Elsewhere func(host string) []string
	// Onion has the places of the filters, from the outside in; explain shows those of a Route in this order.
	Onion  policy.Onion
	Config func() *config.Config
	// Vitals are scraped with the Collectors. Ready, Rejections and the counts of the Snapshot are
	// filled in here.
	Vitals     func() Vitals
	Collectors []prometheus.Collector
	// Samples, which may be nil, writes further metrics in the text format, once the Collectors are scraped: those of
	// which there may be very many. It ends when a write fails.
	Samples func(io.Writer) error
	Logger  *slog.Logger
}

// Server is the admin plane. Made by New. Methods are safe from any goroutine; it must not be copied.
type Server struct {
	// Immutable after New:
	options  Options
	registry *prometheus.Registry
	scrapes  *scrapes

	mu sync.Mutex
	// Guarded by mu:
	planes  []*plane
	counted Vitals // the sizes of the Snapshot of counted.Generation
}

// plane is one address and its Hertz engine.
type plane struct {
	guard *guard
	hertz *server.Hertz
	ended chan struct{}
}

// New makes a Server that is not bound yet.
func New(options Options) (*Server, error) {
	s := &Server{options: options, registry: prometheus.NewRegistry(), scrapes: newScrapes()}
	collectors := append(processCollectors(), stats.VitalsCollector(s.vitals))
	for _, c := range append(collectors, options.Collectors...) {
		if err := s.registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, nil
}

// Start binds the addresses and serves. After an error nothing is bound.
func (s *Server) Start() error {
	takeHertzLog.Do(func() {
		hlog.SetOutput(logWriter{s.options.Logger})
		hlog.SetLevel(hlog.LevelWarn)
	})
	for _, p := range []struct {
		key, address string
		routes       func(*server.Hertz, *guard)
	}{
		{"listen.metrics", s.options.Metrics, s.metricsRoutes},
		{"listen.admin", s.options.Admin, func(h *server.Hertz, _ *guard) {
			h.Use(sameSite, token(s.options.AdminToken).require)
			s.adminRoutes(h)
		}},
	} {
		if p.address == "" {
			continue
		}
		sockets := net.ListenConfig{Control: shareAddress}
		listener, err := sockets.Listen(context.Background(), "tcp", p.address)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.key, err), s.Shutdown(context.Background()))
		}
		s.start(listener, p.routes)
	}
	if s.options.Admin != "" {
		if err := token(s.options.AdminToken).ensure(); err != nil {
			s.options.Logger.Warn("listen.admin answers nobody, because there is no token", "error", err)
		}
	}
	s.startSocket()
	return nil
}

// startSocket serves the admin plane on its socket. A failure, such as in an image without /tmp, is no
// reason not to serve clients.
func (s *Server) startSocket() {
	if s.options.AdminSocket == "" {
		return
	}
	listener, err := listenSocket(s.options.AdminSocket)
	if err != nil {
		s.options.Logger.Warn("there is no admin socket", "listen.admin_socket", s.options.AdminSocket, "error", err)
		return
	}
	s.start(listener, func(h *server.Hertz, _ *guard) {
		h.Use(sameSite)
		s.adminRoutes(h)
	})
}

func (s *Server) start(listener net.Listener, routes func(*server.Hertz, *guard)) {
	g := newGuard(listener)
	h := server.New(
		server.WithListener(unnamed{g}),
		server.WithTransport(standard.NewTransporter),
		server.WithKeepAlive(false), // one request per connection, see guard
		server.WithMaxHeaderBytes(maxHead),
		server.WithMaxRequestBodySize(1),
		server.WithReadTimeout(headTimeout),
		server.WithIdleTimeout(headTimeout),
		server.WithRedirectTrailingSlash(false),
		server.WithDisablePrintRoute(true),
	)
	h.Name = "sluice"
	h.Use(s.recoverPanic, standingFields)
	routes(h, g)
	p := &plane{guard: g, hertz: h, ended: make(chan struct{})}
	s.mu.Lock()
	s.planes = append(s.planes, p)
	s.mu.Unlock()
	go func() {
		defer close(p.ended)
		if err := h.Run(); err != nil {
			s.options.Logger.Error("admin plane ended", "address", listener.Addr(), "error", err)
		}
	}()
}

// unnamed hides the address of a listener from Hertz, which would remove a socket of that name before it
// serves.
type unnamed struct{ net.Listener }

func (unnamed) Addr() net.Addr { return &net.TCPAddr{} }

// vitals completes Options.Vitals. The sizes are counted once per Snapshot: the count sorts every Host.
func (s *Server) vitals() Vitals {
	v := s.options.Vitals()
	v.Ready, _ = s.options.Ready()
	v.Rejections = len(s.options.Rejections())
	snapshot := s.options.Snapshot()
	if snapshot == nil {
		return v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted.Generation != snapshot.Generation {
		all := viewSnapshot(snapshot, selection{})
		s.counted = Vitals{Generation: all.Generation, Hosts: all.Hosts, Routes: all.Routes, Backends: all.Backends, Endpoints: all.Endpoints}
	}
	v.Generation, v.Hosts, v.Routes = s.counted.Generation, s.counted.Hosts, s.counted.Routes
	v.Backends, v.Endpoints = s.counted.Backends, s.counted.Endpoints
	return v
}

// shareAddress sets SO_REUSEPORT: in a rolling update with host networking the successor starts beside
// its predecessor on the same addresses, and could not be probed if it failed to bind these.
func shareAddress(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}

// Addresses returns the bound addresses: metrics, admin, and the admin socket.
func (s *Server) Addresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addresses []net.Addr
	for _, p := range s.planes {
		addresses = append(addresses, p.guard.Addr())
	}
	return addresses
}

// Shutdown stops accepting, waits for the answers under way until ctx ends, at most for a second, and
// closes the rest. It stops what Start began, also where Start failed half-way.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	planes := s.planes
	s.planes = nil
	s.mu.Unlock()
	patience := time.Second
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(0, min(patience, time.Until(deadline)))
	}
	var stopping sync.WaitGroup
	for _, p := range planes {
		stopping.Go(func() {
			p.guard.stop(patience)
			<-p.ended
		})
	}
	stopping.Wait()
	return nil
}

// recoverPanic turns a bug in a handler into a 500; without it the process would end.
func (s *Server) recoverPanic(ctx context.Context, c *app.RequestContext) {
	defer func() {
		if bug := recover(); bug != nil {
			s.options.Logger.Error("admin handler panicked", "path", string(c.Path()), "panic", bug)
			c.AbortWithStatus(500)
		}
	}()
	c.Next(ctx)
}

// takeHertzLog guards Hertz's logger: there is one for the process, read without a lock by the
// engines that run.
var takeHertzLog sync.Once

// logWriter receives Hertz's own log.
type logWriter struct{ log *slog.Logger }

// Write logs a line. Hertz warns about every client that closed early, which needs no action.
func (w logWriter) Write(line []byte) (int, error) {
	w.log.Debug("hertz", "message", string(line))
	return len(line), nil
}

var _ io.Writer = logWriter{}
