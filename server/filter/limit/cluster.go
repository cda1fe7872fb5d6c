package limit

import (
	"context"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Counter counts requests for all gateways together. Its methods are safe for concurrent use, and may block.
type Counter interface {
	// Count counts a request of a key by each of the rates, or by none where one of them refuses it. excess is what each bucket
	// has then, in thousandths of a request. It returns by the deadline of ctx.
	Count(ctx context.Context, key string, rates []Rate) (excess []int64, within bool, err error)
}

// Rate is a leaky bucket's: thousandths of a request a second, and thousandths of a request.
type Rate struct{ PerSecond, Burst int64 }

// ClusterOutcomes are what Cluster counts beside its verdicts: requests that were decided by what was known before, and those
// that were because nobody could be asked.
var ClusterOutcomes = []string{"known", "unavailable"}

const (
	known = iota
	unavailable
)

// Cluster refuses what a client asks of all gateways faster than it may: policy.ClusterLimit. The counts of all are asked for
// off the loop. What they were is kept in the table of this gateway's own: a client that was over its limit, and cannot have
// fallen below it since, is refused without a question; and while there is no answer the gateway can go on by itself.
type Cluster struct {
	exempt      exempt
	unavailable policy.Unavailable
	name        string // of the zone
	rates       []Rate
	asked       *Shared // nil: there is nobody to ask
	limits
	table *buckets
	slot  int
}

// NewCluster makes a Cluster where there are no counts of all gateways.
func NewCluster(f policy.Filter, e server.Env) (server.Filter, error) {
	return (*Shared)(nil).NewCluster(f, e)
}

// NewCluster makes a Cluster; s may be nil.
func (s *Shared) NewCluster(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.ClusterLimit)
	c := &Cluster{
		exempt: p.Exempt, unavailable: p.Unavailable, name: p.Zone, asked: s, table: allBuckets(), slot: e.Slot,
		limits: newLimits(p.Zone+"/cluster", p.PerSecond, p.PerMinute, p.Multiplier, p.Status, p.Fields),
	}
	for i := range c.list {
		c.rates = append(c.rates, Rate{c.list[i].perSecond, c.list[i].burst})
	}
	return c, nil
}

// Name implements server.Filter.
func (*Cluster) Name() string { return string(policy.KindClusterLimit) }

// Request implements server.RequestFilter.
func (c *Cluster) Request(x *server.Exchange) server.Verdict {
	client := x.Client()
	if len(c.exempt) > 0 && c.exempt.has(client) {
		return server.Continue
	}
	if r := c.count(c.table, client, milliseconds(x), look); !r.within && c.asked != nil {
		x.Count(c.slot, known)
		return c.decide(x, r)
	}
	now, at := x.Now(), seatOf(x)
	if !c.asked.available(now, at) {
		return c.alone(x, client)
	}
	key := c.name + " " + masked(client).String()
	return x.Park(func(context.Context) func(*server.Exchange) server.Verdict {
		excess, within, ok := c.asked.ask(now, at, key, c.rates)
		return func(x *server.Exchange) server.Verdict {
			if !ok {
				return c.alone(x, client)
			}
			return c.decide(x, c.learn(client, milliseconds(x), excess, within))
		}
	})
}

// learn keeps what the counts of all are, and makes a ruling of them.
func (c *Cluster) learn(client netip.Addr, now uint32, excess []int64, within bool) ruling {
	r := ruling{within: true}
	for i := range c.list {
		by := &c.list[i]
		c.table.mirror(by.client(client), by.rate, now, excess[i])
		e := excess[i]
		if !within {
			e += unit // with the request that is refused
		}
		r = r.and(by, e, within || e <= by.burst)
	}
	r.within = within
	return r
}

// alone decides without the counts of all gateways.
func (c *Cluster) alone(x *server.Exchange, client netip.Addr) server.Verdict {
	x.Count(c.slot, unavailable)
	switch c.unavailable {
	case policy.PassAll:
		return server.Continue
	case policy.RefuseAll:
		return x.Refuse(503, "how much the client asks for cannot be found out")
	}
	return c.decide(x, c.count(c.table, client, milliseconds(x), take))
}

// Shared is what all Cluster limits of the process have in common: whom they ask, how many questions are under way, and
// whether there are answers. Made by NewShared.
type Shared struct {
	counter Counter
	timeout time.Duration
	log     *slog.Logger

	// Atomic:
	underWay atomic.Int32
	seats    [256]seat
	failures atomic.Int32 // one after the other
	retryAt  atomic.Int64 // when the next question may be tried; 0: at any time
}

const (
	// maxAsked bounds the questions under way: a quarter of the places for parked requests. maxSeated are those of one
	// namespace, and of the few that share its seat by chance.
	maxAsked  = 256
	maxSeated = 64
	// maxFailures in a row end the questions, but for one each pause.
	maxFailures = 3
	pause       = int64(time.Second)
)

// NewShared makes a Shared. A question ends after timeout.
func NewShared(counter Counter, timeout time.Duration, log *slog.Logger) *Shared {
	return &Shared{counter: counter, timeout: timeout, log: log}
}

// seat counts the questions of one namespace.
type seat struct{ taken atomic.Int32 }

// seatOf returns the number of the seat of the namespace that a request is for.
func seatOf(x *server.Exchange) uint8 {
	return uint8(maphash.String(seed, x.Route().Source.Ingress.Namespace))
}

// available reports whether a question may be asked now. Where the last ones failed one in a pause is: it finds out.
func (s *Shared) available(now int64, at uint8) bool {
	if s == nil || s.underWay.Load() >= maxAsked || s.seats[at].taken.Load() >= maxSeated {
		return false
	}
	retry := s.retryAt.Load()
	return retry == 0 || now >= retry && s.retryAt.CompareAndSwap(retry, now+pause+int64(s.timeout))
}

// ask asks for the counts. now is when the request came.
func (s *Shared) ask(now int64, at uint8, key string, rates []Rate) (excess []int64, within, ok bool) {
	defer s.underWay.Add(-1)
	defer s.seats[at].taken.Add(-1)
	if s.underWay.Add(1) > maxAsked || s.seats[at].taken.Add(1) > maxSeated {
		return nil, false, false
	}
	// Not the request's context: a client that leaves says nothing about who counts.
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	excess, within, err := s.counter.Count(ctx, key, rates)
	if err == nil && len(excess) == len(rates) {
		if s.failures.Swap(0) >= maxFailures {
			s.log.Info("limits of the cluster are counted together again")
		}
		s.retryAt.Store(0)
		return excess, within, true
	}
	if n := s.failures.Add(1); n >= maxFailures {
		s.retryAt.Store(now + pause + int64(s.timeout))
		if n == maxFailures {
			s.log.Warn("limits of the cluster are not counted together", "error", err)
		}
	}
	return nil, false, false
}
