package upstream

import (
	"cmp"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// Options configure a Set. The zero value of every field means the default named with it; all
// durations are nanoseconds.
type Options struct {
	// MaxIdlePerEndpoint bounds the idle Conns kept per Endpoint; default 512, negative keeps none.
	MaxIdlePerEndpoint int
	// MaxConnsPerEndpoint bounds the Conns of an Endpoint, busy ones included; 0 is unlimited.
	MaxConnsPerEndpoint int
	// IdleTimeout is the age at which an idle Conn is no longer used; default 60 s. A gateway must
	// close an idle connection before its backend does, or a request meets the backend's close on
	// the wire. 60 s is below the limits of nginx (75 s), Kestrel (130 s) and Go's usual 120 s.
	// Backends with shorter ones (Node.js and Apache: 5 s) are noticed by their closes and by
	// Keep-Alive fields, see Endpoint.PeerClosed and Endpoint.LimitIdle.
	IdleTimeout int64
	// MaxRequestsPerConn bounds the requests sent on one Conn; 0 is unlimited.
	MaxRequestsPerConn uint32
	// Eject configures when a failing Endpoint is left out for a while.
	Eject EjectOptions
	// Seed starts the random choices of this Set; give each loop another one, or their round
	// robins pick the same Endpoints at the same time.
	Seed uint64
	// Live returns the live Snapshot (routing.Store.Load). It decides when a request holds another
	// routing.Backend than the Set knows: the live one wins, so that a late request cannot take the
	// Set back to an older Snapshot. nil: the last Snapshot given is taken for the newest.
	Live func() *routing.Snapshot
	// Gates bound the requests of Backends over all loops; nil: nothing does.
	Gates *Gates
}

// EjectOptions configure passive health. The zero value of every field means its default.
type EjectOptions struct {
	// ConsecutiveFailures ejects an Endpoint; default 3, negative never ejects.
	ConsecutiveFailures int
	// Base is the first ejection's length, default 1 s. It doubles with each failed probe up to Max,
	// default 60 s, and varies by a quarter either way so that loops do not probe in step.
	Base, Max int64
	// MaxPercent bounds the share of a Backend's Endpoints that are ejected; default 50. The last
	// one is never ejected.
	MaxPercent int
}

// resilience returns what holds for a Backend: r, which may be nil, with o's and the package's values where r says nothing.
func (o *Options) resilience(r *routing.Resilience) (all routing.Resilience) {
	if r != nil {
		all = *r
	}
	e := &all.Eject
	e.Failures = cmp.Or(e.Failures, int32(o.Eject.ConsecutiveFailures))
	e.Percent = cmp.Or(e.Percent, int32(o.Eject.MaxPercent))
	e.Base, e.Max = cmp.Or(e.Base, o.Eject.Base), cmp.Or(e.Max, o.Eject.Max)
	all.RetryPercent = cmp.Or(all.RetryPercent, budgetPercent)
	return all
}

// withDefaults returns o with every zero field set to its default.
func (o Options) withDefaults() Options {
	if o.MaxIdlePerEndpoint == 0 {
		o.MaxIdlePerEndpoint = 512
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = int64(60 * time.Second)
	}
	if o.Eject.ConsecutiveFailures == 0 {
		o.Eject.ConsecutiveFailures = 3
	}
	if o.Eject.Base <= 0 {
		o.Eject.Base = int64(time.Second)
	}
	if o.Eject.Max <= 0 {
		o.Eject.Max = int64(60 * time.Second)
	}
	if o.Eject.MaxPercent <= 0 {
		o.Eject.MaxPercent = 50
	}
	return o
}
