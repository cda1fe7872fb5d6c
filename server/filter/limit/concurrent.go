package limit

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Connections refuses a request of a client that has as many under way as it may: policy.ConnectionLimit. A connection of
// HTTP/2, and a tunnel, count as the requests that are under way on them.
type Connections struct {
	exempt exempt
	zone
	underWay
}

// NewConnections makes a Connections.
func NewConnections(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.ConnectionLimit)
	return &Connections{p.Exempt, newZone(p.Zone, "connections"), underWay{allCounters(), e.Slot, uint64(max(p.Most, 0)), p.Status}}, nil
}

// Name implements server.Filter.
func (*Connections) Name() string { return string(policy.KindConnectionLimit) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (c *Connections) Request(x *server.Exchange) server.Verdict {
	client := x.Client()
	if len(c.exempt) > 0 && c.exempt.has(client) {
		return server.Continue
	}
	return c.begin(x, c.client(client), "the client has as many requests under way as it may")
}

// Concurrency refuses a request of a Route that has as many under way as it may: policy.ConcurrencyLimit.
type Concurrency struct {
	zone
	underWay
}

// NewConcurrency makes a Concurrency.
func NewConcurrency(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.ConcurrencyLimit)
	return &Concurrency{newZone(p.Zone, "concurrency"), underWay{allCounters(), e.Slot, uint64(max(p.Most, 0)), p.Status}}, nil
}

// Name implements server.Filter.
func (*Concurrency) Name() string { return string(policy.KindConcurrencyLimit) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (c *Concurrency) Request(x *server.Exchange) server.Verdict {
	return c.begin(x, c.route(x), "too many requests are under way")
}

// underWay counts requests from their request phase to their end. Slot.N is one more than the place of the counter.
type underWay struct {
	table  *counters
	slot   int
	most   uint64
	status int
}

// begin counts a request, or refuses it.
//
// hot: runs per request; no alloc, no lock.
func (u *underWay) begin(x *server.Exchange, hash uint64, why string) server.Verdict {
	at, ok := u.table.enter(hash, u.most)
	if !ok {
		return x.Refuse(u.status, why)
	}
	x.Slot(u.slot).N = int64(at) + 1
	return server.Continue
}

// Done implements server.DoneFilter.
//
// hot: runs per request; no alloc, no lock.
func (u *underWay) Done(x *server.Exchange, _ *server.Event) {
	if s := x.Slot(u.slot); s.N > 0 {
		u.table.leave(int(s.N) - 1)
		s.N = 0
	}
}
