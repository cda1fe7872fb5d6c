package rewrite

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Target replaces the path of requests: policy.Rewrite.
type Target struct {
	path     []byte
	spelling string
}

// NewTarget makes a Target.
func NewTarget(f policy.Filter, _ server.Env) (server.Filter, error) {
	path := f.(*policy.Rewrite).Target
	return &Target{[]byte(path), path}, nil
}

// Name implements server.Filter.
func (*Target) Name() string { return string(policy.KindRewrite) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (t *Target) Request(x *server.Exchange) server.Verdict {
	if x.Route().Spelling() != t.spelling {
		x.SetPath(t.path)
	}
	return server.Continue
}
