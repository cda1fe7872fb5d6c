package server

import (
	"crypto/tls"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
	"github.com/sluice-gateway/sluice/upstream"
)

var (
	chaosRounds = flag.Int("chaos.rounds", chaosDefault, "Play this many rounds of TestChaos, one with -short.")
	chaosFor    = flag.Duration("chaos.for", 0, "Play rounds of TestChaos for this long, instead of a number of them.")
	chaosSeed   = flag.Uint64("chaos.seed", 1, "Begin TestChaos with this seed; each round has the next one.")
)

// chaosBound is how long any connection may last. A round takes a second.
const chaosBound = 30 * time.Second

// TestChaos has clients and Backends of all protocols follow random scripts against each other, through one gateway.
// Whatever the scripts are:
//
//  1. A client gets bytes of its own response only, and one that looks whole is.
//  2. So does a Backend of its requests.
//  3. Every script ends.
//  4. In the end the gateway holds nothing, and has counted as many ends as beginnings.
//  5. A request to which nothing was done succeeds.
//
// The seed decides what the scripts are, but not how they interleave: to repeat a failure may take some rounds of its seed,
// see -chaos.rounds, -chaos.for and -chaos.seed.
func TestChaos(t *testing.T) {
	wantNoLeaks(t)
	rounds := *chaosRounds
	if testing.Short() {
		rounds = min(rounds, 1)
	}
	for i, begun := 0, time.Now(); i < rounds && *chaosFor == 0 || time.Since(begun) < *chaosFor; i++ {
		seed := *chaosSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playRound(t, seed) })
		if t.Failed() {
			return
		}
	}
}

// round is one gateway with its clients and Backends.
type round struct {
	t        *testing.T
	seed     uint64
	level    level
	g        *gateway
	pair     []tls.Certificate
	backends map[routing.Protocol]*playedBackend
	errors   atomic.Int64
	whole    sync.Map     // seeds of tunnels whose clients do not break off
	arrived  sync.Map     // for their seeds: channels, closed when the Backend has all
	fine     atomic.Int64 // responses that were whole
	excused  atomic.Int64
}

// errorf reports a failure, up to a bound.
func (r *round) errorf(format string, args ...any) {
	if r.errors.Add(1) <= 20 {
		r.t.Errorf(format, args...)
	}
}

var chaosProtocols = []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS}

func playRound(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	own, err := tlsconfig.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	r := &round{
		t: t, seed: seed, level: level(seed % uint64(levelCount)), pair: []tls.Certificate{*own},
		backends: map[routing.Protocol]*playedBackend{},
	}
	r.g = newGateway(t, func(c *config.Config) {

		// Longer than the scripts, so that a party that waits in vain is seen.
		long := config.Duration(10 * chaosBound)
		c.Timeouts.Header, c.Timeouts.Body, c.Timeouts.Idle, c.Timeouts.Read, c.Timeouts.Send = long, long, long, long, long
		c.Timeouts.Connect, c.Timeouts.HalfClosed = long, long
		if rng.IntN(2) == 0 {
			c.HTTP.SpliceThreshold = config.Size(1 + rng.IntN(20000))
		}
	}, Options{})
	for _, p := range chaosProtocols {
		r.backends[p] = r.newBackend(p, 1+rng.IntN(2))
	}
	r.publish(true)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		r.republish(stop)
	}()
	var all sync.WaitGroup
	for i := range 32 {
		crng := rand.New(rand.NewPCG(seed, uint64(100+i)))
		secure := i&1 != 0
		who := fmt.Sprintf("client %d of round %d", i, seed)
		if i&2 == 0 {
			all.Go(func() { r.http1(who+", HTTP/1", secure, crng) })
		} else {
			all.Go(func() { r.http2(who+", HTTP/2", secure, crng) })
		}
	}
	all.Wait()
	close(stop)
	<-stopped
	servertest.Until(t, "the clients' connections and requests to end", func() bool {
		accepted, ended, started, done := uint64(0), uint64(0), uint64(0), uint64(0)
		r.eachLoop(func(w *worker) {
			c := &w.Shard.Counters
			accepted += c.ConnectionsAccepted
			for _, n := range c.ConnectionsClosed {
				ended += n
			}
			started += c.ExchangesStarted
			done += c.ExchangesEnded
		})
		return accepted == ended && started == done
	})
	for _, b := range r.backends {
		b.close()
	}
	servertest.Until(t, "the Endpoints' connections to end", func() bool {
		left := 0
		r.eachLoop(func(w *worker) {
			left += w.up.CountSessions().Sessions
			w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) { left += int(s.Conns + s.InFlight) })
		})
		return left == 0
	})
	r.eachLoop(r.audit)
	t.Logf("level %d: %d whole, %d excused", r.level, r.fine.Load(), r.excused.Load())
}

// eachLoop calls f on the loops, one after the other.
func (r *round) eachLoop(f func(w *worker)) {
	for _, w := range r.g.workers {
		done := make(chan struct{})
		w.Post(func() { f(w); close(done) })
		<-done
	}
}

// republish has Endpoints come and go until stop is closed.
func (r *round) republish(stop chan struct{}) {
	tick := time.NewTicker(7 * time.Millisecond)
	defer tick.Stop()
	for all := false; r.seed%2 == 0; all = !all {
		select {
		case <-stop:
			return
		case <-tick.C:
			r.publish(all)
		}
	}
}

// publish makes a Route to each Backend, with all Endpoints or the first.
func (r *round) publish(all bool) {
	g := r.g
	s := &routing.Snapshot{}
	var routes []routing.Route
	for i, p := range chaosProtocols {
		b := &routing.Backend{Protocol: p, Key: routing.BackendKey{Namespace: "default", Service: "app", Port: "80", Variant: p.String()}}
		if p == routing.HTTPS || p == routing.GRPCS {
			b.TLS = &routing.BackendTLS{Name: "app"}
		}
		for _, e := range r.backends[p].addrs {
			if !all && len(b.Endpoints) > 0 {
				break
			}
			b.Endpoints = append(b.Endpoints, routing.Endpoint{Addr: netip.MustParseAddrPort(e)})
		}
		s.Backends = append(s.Backends, b)
		routes = append(routes, routing.Route{
			Path: fmt.Sprintf("/%d", p), Type: routing.Prefix, Backend: int32(i),
			Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: &asked.Policy{Limits: asked.Limits{BodyBytes: -1}}},
		})
	}
	builder := routing.Builder{Attach: g.Attach}
	host, _ := builder.BuildHost("", routes)
	var table *routing.Table
	s.Table = table.With(map[string]*routing.Host{"": host}, nil)
	g.store.Publish(s)
	g.OnPublish(s)
}

// plan makes the next request's.
func (r *round) plan(rng *rand.Rand) *plan {
	return newPlan(rng.Uint64(), chaosProtocols[rng.IntN(len(chaosProtocols))], r.level)
}

// audit reports what a loop holds although nothing is under way.
func (r *round) audit(w *worker) {
	for _, faults := range [][]string{w.AuditPools(), w.down.AuditConns(), w.up.AuditConns(), w.Audit()} {
		for _, fault := range faults {
			r.errorf("%s", fault)
		}
	}
	var c stats.Counters
	w.sample(&c)
	if c.UpstreamActive != 0 || c.UpstreamIdle != 0 {
		r.errorf("upstream: %d active, %d idle", c.UpstreamActive, c.UpstreamIdle)
	}
	for kind, n := range w.Shard.EndpointFloods {
		if n > 0 {
			r.errorf("%d floods of kind %d by Endpoints seen", n, kind)
		}
	}
	for kind, n := range w.Shard.Floods {
		if n > 0 {
			r.errorf("%d floods of kind %d seen", n, kind)
		}
	}
}

// result is the outcome of a request.
type result struct {
	p       *plan
	b       *playedBackend
	old     bool // HTTP/1.0
	kills   int64
	goaways int64

	heard     bool
	status    int
	interims  int
	name      string // X-Plan, "" in an answer of the gateway's own
	sum       string
	announced int64 // Content-Length, or -1
	n         int
	complete  bool
	aborted   bool // by the client's script
	err       error
}

// begin notes the faults that hit other requests before this one.
func (r *round) begin(p *plan) *result {
	x := &result{p: p, b: r.backends[p.protocol]}
	x.start()
	return x
}

// start notes them again.
func (x *result) start() { x.kills, x.goaways = x.b.kills.Load(), x.b.goaways.Load() }

// promise notes that the client of a tunnel does not break off, and returns a channel that is closed when the Backend has
// all that it sends.
func (r *round) promise(p *plan) chan struct{} {
	c, _ := r.arrived.LoadOrStore(p.seed, make(chan struct{}))
	r.whole.Store(p.seed, true)
	return c.(chan struct{})
}

// arrive keeps that promise.
func (r *round) arrive(p *plan) {
	if c, ok := r.arrived.LoadAndDelete(p.seed); ok {
		close(c.(chan struct{}))
	}
}

// harmed reports that a Backend's fault for another request may have hit this one.
func (x *result) harmed() bool {
	kills, goaways := x.b.kills.Load()-x.kills, x.b.goaways.Load()-x.goaways
	switch {
	case kills > 0 || goaways > 1 || goaways > 0 && (x.p.reqLen > 0 || x.p.tunnel):
		return true
	case x.p.simple():
		return false
	}
	return x.b.stale.Load() > 0 || x.b.kills.Load() > 0
}

// judge decides whether the outcome is a right one.
func (r *round) judge(who string, x *result) {
	p := x.p
	wrong := func(format string, args ...any) {
		r.errorf("%s: %s (old %v, status %d, name %q, %d bytes of %d, complete %v, aborted %v, interims %d, %v): %v", who, fmt.Sprintf(format, args...),
			x.old, x.status, x.name, x.n, x.announced, x.complete, x.aborted, x.interims, x.err, p)
	}
	if ne, ok := x.err.(net.Error); ok && ne.Timeout() {
		wrong("hangs")
		return
	}
	if x.aborted {
		return
	}
	if x.name != "" {
		want := p.respLen
		if p.fault == faultLong {
			want = p.at
		}
		switch {
		case x.name != p.name():
			wrong("another's response")
		case x.status != p.status:
			wrong("another status")
		case x.complete && x.n != want:
			wrong("looks whole and is not")
		case x.complete && (p.fault == faultShort || p.fault == faultResetBody || p.fault == faultCloseBody):
			wrong("a cut response looks whole")
		case x.complete && p.respSum && !x.old && x.sum != p.name():
			wrong("trailer %q", x.sum)
		case x.complete:
			r.fine.Add(1)
			return
		}
	}
	switch p.fault {
	case faultNone, faultStale, faultGoAway:
	case faultRefuse:
		if p.reqLen == 0 {
			break
		}
		fallthrough
	default:
		r.excused.Add(1)
		return
	}
	if x.harmed() || p.early || p.fault != faultNone && p.reqLen > 0 {
		r.excused.Add(1)
		return
	}
	wrong("nothing was done to it, and it failed")
}
