package rewrite

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Host replaces the Host that Backends are sent by one made for each request: policy.Host.
type Host struct {
	text variable.Text
	slot int
}

// NewHost makes a Host.
func NewHost(f policy.Filter, e server.Env) (server.Filter, error) {
	text, err := variable.Parse(f.(*policy.Host).Template, policy.HostVariables)
	if err != nil {
		return nil, err
	}
	return &Host{text, e.Slot}, nil
}

// Name implements server.Filter.
func (*Host) Name() string { return string(policy.KindHost) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (h *Host) Request(x *server.Exchange) server.Verdict {
	s := x.Slot(h.slot)
	b := h.text.Append(s.Bytes[:0], x)
	s.Bytes = b
	var buf [256]byte
	if _, ok := routing.NormalizeHost(buf[:0], b); !ok {
		return x.Refuse(400, "what the request says makes no host for the endpoint")
	}
	x.SetHost(b)
	return server.Continue
}
