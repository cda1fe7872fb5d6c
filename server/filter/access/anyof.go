package access

import (
	"context"
	"slices"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// AnyOf serves a request that one of its conditions is met for: policy.AnyOf. They are asked in turn until one is. Where
// none is, a 401 is answered rather than a 403: another password may help, and another address is hard to get.
type AnyOf struct {
	remembers
	conditions []condition
	external   *External // the same as one of them; nil for none
}

// NewAnyOf makes an AnyOf.
func NewAnyOf(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.AnyOf)
	a := &AnyOf{}
	if p.Access != nil {
		list := newList(p.Access)
		list.oneOf = true
		a.conditions = append(a.conditions, list)
	}
	if p.Basic != nil {
		b, err := newBasic(p.Basic, e)
		if err != nil {
			return nil, err
		}
		a.conditions = append(a.conditions, b)
	}
	if p.JWT != nil {
		j, err := newJWT(p.JWT, e)
		if err != nil {
			return nil, err
		}
		a.conditions = append(a.conditions, j)
	}
	if p.External != nil {
		external, err := newExternal(p.External, e)
		if err != nil {
			return nil, err
		}
		a.conditions, a.external = append(a.conditions, external), external
	}
	return a, nil
}

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (a *AnyOf) Response(x *server.Exchange, r *server.Response) server.Verdict {
	if a.external != nil {
		return a.external.Response(x, r)
	}
	return server.Continue
}

// Name implements server.Filter.
func (*AnyOf) Name() string { return string(policy.KindAnyOf) }

// Request implements server.RequestFilter.
func (a *AnyOf) Request(x *server.Exchange) server.Verdict { return a.from(x, 0, ruling{}) }

// from asks the conditions from the i-th on. refused is what those before have answered.
func (a *AnyOf) from(x *server.Exchange, i int, refused ruling) server.Verdict {
	for ; i < len(a.conditions); i++ {
		c := a.conditions[i]
		if !c.concerns(x) {
			continue
		}
		r, later := c.rule(x)
		if later != nil {
			return a.park(x, i, later, refused)
		}
		verdict, settled := a.settle(x, i, r)
		if settled {
			return verdict
		}
		refused = worse(refused, r)
	}
	if refused.status == 0 {
		return server.Continue // nothing of it that concerns this Route is against the request
	}
	return refused.enforce(x)
}

// park asks the i-th condition off the loop, and then those behind it.
func (a *AnyOf) park(x *server.Exchange, i int, later func(context.Context) ruling, refused ruling) server.Verdict {
	return x.Park(func(ctx context.Context) func(*server.Exchange) server.Verdict {
		r := later(ctx)
		return func(x *server.Exchange) server.Verdict {
			if verdict, settled := a.settle(x, i, r); settled {
				return verdict
			}
			return a.from(x, i+1, worse(refused, r))
		}
	})
}

// worse returns which of two refusals is answered: the first, 401 before 403, and before both the way to a page for signing in.
// Of several 401 each says what it wants.
func worse(before, r ruling) ruling {
	switch {
	case r.undecided || before.location != "":
		return before
	case before.status == 0 || before.status == 403 || r.location != "":
		return r
	case before.status == 401 && r.status == 401:
		before.fields = slices.Concat(before.fields, r.fields)
	}
	return before
}

// settle takes what the i-th condition says, and reports whether the rest need not be asked.
func (a *AnyOf) settle(x *server.Exchange, i int, r ruling) (server.Verdict, bool) {
	switch {
	case r.undecided:
	case r.status == 0:
		for j, c := range a.conditions {
			if !c.concerns(x) {
				continue
			}
			if j == i {
				c.admit(x, r, true)
			} else {
				c.admit(x, ruling{}, false)
			}
		}
		return server.Continue, true
	case !r.refusal():
		return r.enforce(x), true
	}
	return server.Continue, false
}
