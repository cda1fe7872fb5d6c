package limit

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Throttle bounds how fast responses go out: policy.Throttle.
type Throttle struct{ perSecond, after int64 }

// NewThrottle makes a Throttle.
func NewThrottle(f policy.Filter, _ server.Env) (server.Filter, error) {
	p := f.(*policy.Throttle)
	return &Throttle{p.PerSecond, p.After}, nil
}

// Name implements server.Filter.
func (*Throttle) Name() string { return string(policy.KindThrottle) }

// Request implements server.RequestFilter.
func (l *Throttle) Request(x *server.Exchange) server.Verdict {
	x.Pace(l.perSecond, l.after)
	return server.Continue
}
