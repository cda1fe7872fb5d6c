package rewrite

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Prefix tells Backends where their paths begin for clients: policy.Prefix.
type Prefix struct{ policy.Prefix }

// NewPrefix makes a Prefix.
func NewPrefix(f policy.Filter, _ server.Env) (server.Filter, error) {
	return &Prefix{*f.(*policy.Prefix)}, nil
}

const forwardedPrefix = "X-Forwarded-Prefix"

// Name implements server.Filter.
func (*Prefix) Name() string { return string(policy.KindPrefix) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (p *Prefix) Request(x *server.Exchange) server.Verdict {
	if x.Route().Spelling() != p.Target {
		x.DropRequestField(forwardedPrefix)
		x.AddRequestField(forwardedPrefix, p.Prefix.Prefix)
	}
	return server.Continue
}
