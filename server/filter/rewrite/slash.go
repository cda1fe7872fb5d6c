package rewrite

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Slash redirects to the Route's path with a slash behind it: policy.Slash.
type Slash struct {
	slot     int
	relative bool
}

// NewSlash makes a Slash.
func NewSlash(f policy.Filter, e server.Env) (server.Filter, error) {
	return &Slash{e.Slot, f.(*policy.Slash).Relative}, nil
}

var _ server.RequestFilter = (*Slash)(nil)

var origin = variable.Must("$scheme://$host", policy.RewriteVariables)

// Name implements server.Filter.
func (*Slash) Name() string { return string(policy.KindSlash) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (s *Slash) Request(x *server.Exchange) server.Verdict {
	slot := x.Slot(s.slot)
	b := append(slot.Bytes[:0], "Location: "...)
	if len(x.Host()) > 0 && !s.relative {
		b = origin.Append(b, x)
	}
	b = appendEscaped(b, x.Route().Path)
	b = append(b, '/')
	if query := x.Query(); len(query) > 0 {
		b = append(append(b, '?'), query...)
	}
	b = append(b, "\r\n"...)
	slot.Bytes = b
	return x.Respond(301, b, nil)
}
