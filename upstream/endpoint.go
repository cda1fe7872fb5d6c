package upstream

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
)

// Endpoint is the state of one ip:port of one Backend on one loop: pool, load, latency and health.
// Made by a Set only. An Endpoint that has left its Backend lives on while exchanges or Conns hold it.
// Must not be copied, and belongs to one loop.
type Endpoint struct {
	// Addr, Zone and Node are as in routing.Endpoint; Addr never changes.
	Addr       netip.AddrPort
	Zone, Node string

	// InFlight counts exchanges between started and finished; Conns the connections between Add and
	// Remove, idle or busy. Read-only outside this package.
	InFlight, Conns int32
	// Gone means that the Endpoint has left its Backend: nothing is pooled on it any more.
	Gone bool

	health   healthState
	unwell   bool  // fails its checks, see unwell.go
	failures int32 // consecutive failures
	ejection int64 // length of the current or last ejection, without its variation; 0 after a success
	until    int64 // ejected: when a probe is due; probing: when the probe counts as lost
	tried    bool  // ejected, and tried since for want of another Endpoint

	// warm is when the Endpoint's slow start began; startsWarming before it was first looked at, 0 behind it. See slowstart.go.
	warm int64

	// cost is the peak-EWMA latency in nanoseconds as of seen; seen is 0 before the first observation.
	cost float64
	seen int64

	// twin is the Endpoint of the same Pod in the other family, nil for most; aside means that the twin is
	// picked in its place. reached means that the Endpoint has answered since its last failure to connect;
	// doubted, that its next answer shows the twin's failure to connect to be the family's, and not the
	// Pod's. See twin.go.
	twin                    *Endpoint
	aside, reached, doubted bool

	backend *Backend
	idle    idleList

	// Attachment belongs to the loop (a prepared socket address, say); this package never reads it.
	Attachment any
}

// newEndpoint returns the state of a new Endpoint of b, with no opinion about its latency.
func newEndpoint(b *Backend, r *routing.Endpoint) *Endpoint {
	e := &Endpoint{Addr: r.Addr, Zone: r.Zone, Node: r.Node, backend: b}
	e.idle.limit = b.set.options.IdleTimeout
	return e
}

// Backend returns the Backend that e belongs, or belonged, to.
func (e *Endpoint) Backend() *Backend { return e.backend }

// Ejected reports whether e is left out of balancing, except for a probe when one is due.
func (e *Endpoint) Ejected() bool { return e.health != healthy }

// started counts an exchange with e. Each started is followed by one finished or withdraw.
//
// hot: runs per request; no alloc, no lock.
func (e *Endpoint) started(now int64) {
	e.InFlight++
	e.backend.inFlight++
	if e.health != healthy {
		e.try(now)
	}
}

// withdraw takes back an exchange that did not take place. A probe is due again.
func (e *Endpoint) withdraw(now int64) {
	e.InFlight--
	e.backend.inFlight--
	if e.health == probing && !e.Gone {
		e.probeAgain(now)
	}
}

// finished ends an exchange: latency is nanoseconds from the request's sending (or the dial) to the
// response's first byte, or to the failure.
//
// hot: runs per request; no alloc, no lock.
func (e *Endpoint) finished(now, latency int64, outcome Outcome) {
	b := e.backend
	e.InFlight--
	b.inFlight--
	b.outcomes[outcome]++
	if b.guarded && b.resilience.Breaker.Percent > 0 {
		b.breaker.count(now, outcome, &b.resilience.Breaker, &b.set.random)
	}
	if e.Gone {
		return
	}
	if b.balance == routing.EWMA && outcome != Canceled && outcome != Stale {
		e.observe(now, latency, outcome.Failed())
	}
	if outcome == OK && e.health == healthy {
		e.failures = 0
		if e.twin != nil && (!e.reached || e.doubted) {
			e.answered()
		}
		return
	}
	e.judge(now, outcome)
}
