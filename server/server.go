package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	hertz "github.com/cloudwego/hertz/pkg/app/server"
	hertzconfig "github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
	"github.com/sluice-gateway/sluice/upstream"
)

// Options are the arguments of New beside the configuration. The zero value is usable.
type Options struct {
	// Filters are in every Route's Chain, behind the rules for X-Forwarded-* fields. The place of the n-th is n, from 0: see
	// Exchange.Slot.
	Filters []Filter
	// Middleware are Hertz handlers, in every Chain behind Filters; see HertzFilter.
	Middleware []app.HandlerFunc
	// Makers make the Filters that the Policies of objects configure, behind those of every Route, each in its Stage and there
	// in this order from the outside in. A Policy with a Kind that has no Maker closes its Routes.
	Makers []Maker
}

// Server is the data plane of one process. Make it with New, then Listen, then Run. Its methods are safe for concurrent use,
// except Attach. Must not be copied.
type Server struct {
	// Immutable after New:
	store        *routing.Store
	registry     *stats.Registry
	log          *slog.Logger
	workers      []*worker
	peers        down.Peers // the clients' parts of the workers
	engine       *hertz.Hertz
	logs         *accessLog // nil when off
	proxied      []string   // listen addresses on which connections begin with a PROXY protocol header
	certificates *certificates
	tickets      *tlsconfig.Tickets
	handshakes   *tlsconn.Handshakes
	sources      *down.Sources
	reserve      *down.Reserve
	gates        upstream.Gates
	checker      *upstream.Checker
	parking      chan struct{}
	ended        chan struct{}
	pressure     atomic.Int32 // see pressure.go

	// Owned by the goroutine that builds Snapshots:
	compiler exchange.Compiler

	// Guarded by mu:
	mu       sync.Mutex
	sockets  []socket
	stopOnce sync.Once
}

// socket is a listening socket, and the number of the loop that serves it.
type socket struct {
	loop int
	down.Socket
}

// maxParked bounds the goroutines that run for parked Exchanges.
const maxParked = 1024

// New makes a Server that serves the Snapshots of store. Nothing is bound or started yet. Reports of the running Server go
// to log.
func New(c *config.Config, store *routing.Store, log *slog.Logger, o Options) (*Server, error) {
	threads := c.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if err := loop.Pollers(threads); err != nil {
		return nil, err
	}
	s := &Server{
		store:      store,
		log:        log,
		proxied:    c.ProxyProtocol.Listeners,
		parking:    make(chan struct{}, maxParked),
		ended:      make(chan struct{}),
		reserve:    down.NewReserve(),
		tickets:    tlsconfig.NewTickets(time.Duration(c.TLS.TicketRotation), acceptedTicketKeys),
		handshakes: tlsconn.NewHandshakes(handshakeLimits(c)),
	}
	s.sources = down.NewSources(threads)
	s.checker = upstream.NewChecker(upstream.CheckerOptions{Tell: s.tellUnwell})
	s.registry = stats.NewRegistry(store.Load, func() stats.TLS {
		return stats.TLS{Clients: s.handshakes.Counts(), Endpoints: s.handshakes.UpstreamCounts()}
	}, stats.Limits{Series: c.Metrics.MaxSeries, PerNamespace: c.Metrics.MaxSeriesPerNamespace, Histograms: c.Metrics.RouteHistograms})
	s.registry.Care = s.care
	filters := slices.Clone(o.Filters)
	for _, h := range o.Middleware {
		filters = append(filters, HertzFilter(h))
	}
	s.compiler = exchange.NewCompiler(s.registry, log, filters, o.Makers, threads)
	var err error
	if s.certificates, err = newCertificates(store); err != nil {
		return nil, err
	}
	set := s.newSettings(c)
	if s.logs, err = openAccessLog(c.AccessLog, log); err != nil {
		return nil, err
	}
	for id := range threads {
		l, err := loop.New(id)
		if err != nil {
			return nil, fmt.Errorf("create loop %d: %w", id, err)
		}
		w := newWorker(s, l, set)
		s.workers, s.peers = append(s.workers, w), append(s.peers, w.down)
	}
	for _, w := range s.workers {
		w.down.Peers = s.peers
	}
	quietHertz()
	s.engine = hertz.New(
		hertz.WithTransport(func(*hertzconfig.Options) network.Transporter { return transporter{s} }),
		hertz.WithDisablePrintRoute(true),
	)
	return s, nil
}

// quietHertz silences Hertz's logger, once in the process: the logger is one variable without a lock.
var quietHertz = sync.OnceFunc(func() { hlog.SetLevel(hlog.LevelError) })

// acceptedTicketKeys is how many keys of session tickets are accepted: the present one and those before it.
const acceptedTicketKeys = 3

// handshakeLimits reads the bounds of TLS handshakes.
func handshakeLimits(c *config.Config) tlsconn.Limits {
	return tlsconn.Limits{UnderWay: c.TLS.MaxHandshakes, PerSource: c.TLS.HandshakesPerSource}
}

// Threads is the number of event loops.
func (s *Server) Threads() int { return len(s.workers) }

// Attach sets the Attachment of a Route that is being built: it is routing.Builder's Attach. Not for concurrent use.
func (s *Server) Attach(r *routing.Route) { r.Attachment = s.compiler.Attachment(r) }

// OnPublish is to be called after each Publish: every loop closes its idle connections to Endpoints that have left. Requests
// under way go on.
func (s *Server) OnPublish(*routing.Snapshot) {
	for _, w := range s.workers {
		w.Post(func() {
			if live := s.store.Load(); live != nil {
				w.Upstreams.Sweep(live.Backends)
			}
		})
	}
	if live := s.store.Load(); live != nil {
		s.checker.Update(live.Backends)
	}
}

// tellUnwell has every loop know which Endpoints of a Backend fail their checks.
func (s *Server) tellUnwell(index int32, key routing.BackendKey, unwell []netip.AddrPort) {
	for _, w := range s.workers {
		w.Post(func() { w.Upstreams.Unwell(index, key, unwell) })
	}
}

// care returns what is not counted by loops.
func (s *Server) care() stats.Care {
	c := stats.Care{Checks: s.checker.Counts(), Pressure: int(s.pressure.Load())}
	c.InFlight, c.Waiting = s.gates.Counts()
	return c
}

// Collector returns the data plane's metrics.
func (s *Server) Collector() prometheus.Collector { return s.registry.Collector() }

// WriteRoutes writes the metrics of Routes, in the text format of Prometheus, chunk by chunk. They follow those of the
// Collector, of the same scrape.
func (s *Server) WriteRoutes(w io.Writer) error { return s.registry.WriteRoutes(w) }

// Listen binds every address, "host:port", for every loop. Connections queue from then on; Run serves them.
func (s *Server) Listen(addrs []string) error { return s.listen(addrs, false) }

// ListenTLS is Listen for addresses on which TLS is spoken.
func (s *Server) ListenTLS(addrs []string) error { return s.listen(addrs, true) }

func (s *Server) listen(addrs []string, secure bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, addr := range addrs {
		at := addr
		for id := range s.workers {
			fd, port, err := down.Bind(at)
			if err != nil {
				s.closeBoundLocked()
				return err
			}
			s.sockets = append(s.sockets, socket{id, down.Socket{FD: fd, Port: port, Addr: addr, Secure: secure, Proxied: slices.Contains(s.proxied, addr)}})
			if id == 0 {
				at = withPort(addr, port)
			}
		}
	}
	s.reserve.Open()
	return nil
}

// closeBoundLocked closes every bound socket, because another could not be bound.
func (s *Server) closeBoundLocked() {
	for _, b := range s.sockets {
		syscall.Close(b.FD)
	}
	s.sockets = nil
}

// Ports returns the ports that Listen bound, one for each of its addresses.
func (s *Server) Ports() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ports []int
	for _, b := range s.sockets {
		if b.loop == 0 {
			ports = append(ports, b.Port)
		}
	}
	return ports
}

// Run serves until Drain or Stop, on the Hertz engine with the loops as its transport.
func (s *Server) Run() error {
	s.mu.Lock()
	for _, b := range s.sockets {
		w := s.workers[b.loop]
		l := w.down.NewListener(&b.Socket)
		w.Post(func() {
			if err := l.Open(); err != nil {
				s.log.Error("a listening socket is not served", "err", err)
			}
		})
	}
	s.mu.Unlock()
	// The loops' counts have to be collected now and then, even without a scraper.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.registry.Run(ctx)
	go s.watchMemory(ctx)
	err := s.engine.Engine.Run()
	if s.logs != nil {
		s.logs.Close()
	}
	if err != nil {
		return fmt.Errorf("run engine: %w", err)
	}
	return nil
}

// LogLinesLost returns how many lines of the access log were not written because its file did not keep up, or could not be
// written to.
func (s *Server) LogLinesLost() uint64 {
	if s.logs == nil {
		return 0
	}
	return s.logs.Lost()
}

// Reload applies the keys of c that are live, and reopens the access log. Each loop takes them over by itself, soon after
// the call.
func (s *Server) Reload(c *config.Config) {
	set := s.newSettings(c)
	s.handshakes.SetLimits(handshakeLimits(c))
	for _, w := range s.workers {
		w.Post(func() { w.reload(set) })
	}
	if s.logs != nil {
		s.logs.reopen(s.log)
	}
}

// Settled returns once every loop has taken over what Reload was given last, or ctx ends.
func (s *Server) Settled(ctx context.Context) { s.onEveryLoop(ctx, func(*worker) {}) }

// Drain stops accepting, lets requests in flight finish, and ends Run. It returns nil where all connections have ended, and
// ctx's error where the rest was cut.
func (s *Server) Drain(ctx context.Context) error {
	err := s.drain(ctx)
	s.stop()
	<-s.ended
	return err
}

// openingGrace is how long connections whose SYN has come are waited for in a drain: the client takes them for open as soon as
// it has the SYN-ACK, and the kernel queues them one round trip after it.
const openingGrace = 100 * time.Millisecond

// drain starts the drain of every loop, and waits until no connection is open or ctx ends.
func (s *Server) drain(ctx context.Context) error {
	s.onEveryLoop(ctx, func(w *worker) { w.down.RefuseConnections() })
	select {
	case <-time.After(openingGrace):
	case <-ctx.Done():
	case <-s.ended: // a second drain: the loops have ended
		return nil
	}
	// Open connections are counted once every loop has accepted those in its listeners' queues.
	s.onEveryLoop(ctx, func(w *worker) { w.down.StartDrain() })
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		open := s.peers.Connections()
		if open == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("cut %d connections", open), ctx.Err())
		case <-tick.C:
		}
	}
}

// onEveryLoop runs f once on each loop, and returns when all have, the loops have ended, or ctx has.
func (s *Server) onEveryLoop(ctx context.Context, f func(w *worker)) {
	done := make(chan struct{}, len(s.workers))
	for _, w := range s.workers {
		w.Post(func() {
			f(w)
			done <- struct{}{}
		})
	}
	for range s.workers {
		select {
		case <-done:
		case <-s.ended:
			return
		case <-ctx.Done():
		}
	}
}

// stop cuts the connections that are left, and ends every loop.
func (s *Server) stop() {
	s.stopOnce.Do(func() {
		for _, w := range s.workers {
			w.Post(w.cut)
			w.Close()
		}
		s.checker.Close()
		s.handshakes.Close()
		s.reserve.Close()
	})
}

// withPort replaces the port of addr by the one that the first loop's socket got, for the other loops to share.
func withPort(addr string, port int) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
