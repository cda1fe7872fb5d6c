package reply

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Location changes where a Backend sends clients: policy.Location.
type Location struct {
	location prefix
	refresh  refresh
}

// NewLocation makes a Location.
func NewLocation(f policy.Filter, _ server.Env) (server.Filter, error) {
	p := f.(*policy.Location)
	change := prefix{p.From, p.To}
	return &Location{change, refresh{change}}, nil
}

var _ server.ResponseFilter = (*Location)(nil)

// Name implements server.Filter.
func (*Location) Name() string { return string(policy.KindLocation) }

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (l *Location) Response(_ *server.Exchange, r *server.Response) server.Verdict {
	r.Change("Location", &l.location)
	r.Change("Refresh", &l.refresh)
	return server.Continue
}

// prefix replaces one beginning by another.
type prefix struct{ from, to string }

// ChangeField implements server.FieldChange.
func (p *prefix) ChangeField(dst, value []byte) (out []byte, changed bool) {
	if len(value) < len(p.from) || string(value[:len(p.from)]) != p.from {
		return dst, false
	}
	return append(append(dst, p.to...), value[len(p.from):]...), true
}

// refresh does the same to the URL of a Refresh: "5; url=http://a.test/".
type refresh struct{ prefix }

// ChangeField implements server.FieldChange.
func (p *refresh) ChangeField(dst, value []byte) (out []byte, changed bool) {
	const mark = "url="
	for i := 0; i+len(mark) <= len(value); i++ {
		if message.EqualFold(value[i:i+len(mark)], mark) {
			i += len(mark)
			return p.prefix.ChangeField(append(dst, value[:i]...), value[i:])
		}
	}
	return dst, false
}
