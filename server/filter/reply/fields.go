package reply

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Fields edits the fields of responses: policy.Fields.
type Fields struct {
	drop     []string // names that are removed, or replaced by lines
	lines    []byte
	defaults []policy.Field
}

// NewFields makes a Fields.
func NewFields(f policy.Filter, _ server.Env) (server.Filter, error) {
	p := f.(*policy.Fields)
	made := &Fields{drop: p.Remove[:len(p.Remove):len(p.Remove)], defaults: p.Default}
	for _, field := range p.Set {
		made.drop = append(made.drop, field.Name)
	}
	for _, list := range [...][]policy.Field{p.Set, p.Add, p.Default} {
		for _, field := range list {
			if err := policy.ValidField(field.Name, field.Value); err != nil {
				return nil, err // a line break in a value would make another field
			}
		}
	}
	for _, list := range [...][]policy.Field{p.Set, p.Add} {
		for _, field := range list {
			made.lines = append(made.lines, field.Name+": "+field.Value+"\r\n"...)
		}
	}
	return made, nil
}

var _ server.ResponseFilter = (*Fields)(nil)

// Name implements server.Filter.
func (*Fields) Name() string { return string(policy.KindFields) }

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (f *Fields) Response(_ *server.Exchange, r *server.Response) server.Verdict {
	for _, name := range f.drop {
		r.Drop(name)
	}
	r.AddLines(f.lines)
	for i := range f.defaults {
		if d := &f.defaults[i]; r.Field(d.Name) == nil {
			r.Add(d.Name, d.Value)
		}
	}
	return server.Continue
}
