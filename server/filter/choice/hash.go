package choice

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Hash sends requests to the Endpoint that stands for a text made of each: policy.Hash.
type Hash struct {
	text  variable.Text
	among int
	slot  int
}

// NewHash makes a Hash.
func NewHash(f policy.Filter, e server.Env) (server.Filter, error) {
	config := f.(*policy.Hash)
	text, err := variable.Parse(config.Template, policy.HashVariables)
	if err != nil {
		return nil, err
	}
	return &Hash{text, config.Among, e.Slot}, nil
}

var _ server.RequestFilter = (*Hash)(nil)

// Name implements server.Filter.
func (*Hash) Name() string { return string(policy.KindHash) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (h *Hash) Request(x *server.Exchange) server.Verdict {
	s := x.Slot(h.slot)
	s.Bytes = h.text.Append(s.Bytes[:0], x)
	x.Spread(s.Bytes, h.among)
	return server.Continue
}
