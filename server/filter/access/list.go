package access

import (
	"context"
	"net/netip"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// List answers 403 to clients whose address is not allowed: policy.Access.
type List struct {
	allow, deny prefixes
	// oneOf is true where the list is one of several conditions of which any is enough: that a client is not denied lets nobody in.
	oneOf bool
}

// NewList makes a List.
func NewList(f policy.Filter, _ server.Env) (server.Filter, error) {
	return newList(f.(*policy.Access)), nil
}

func newList(p *policy.Access) *List { return &List{allow: p.Allow, deny: p.Deny} }

// Name implements server.Filter.
func (*List) Name() string { return string(policy.KindAccess) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (l *List) Request(x *server.Exchange) server.Verdict {
	if r, _ := l.rule(x); r.status != 0 {
		return r.enforce(x)
	}
	return server.Continue
}

func (*List) concerns(*server.Exchange) bool { return true }

func (l *List) rule(x *server.Exchange) (ruling, func(context.Context) ruling) {
	client := x.Client()
	if l.deny.contain(client) || len(l.allow) > 0 && !l.allow.contain(client) {
		return ruling{status: 403, text: "the address of the client is not allowed"}, nil
	}
	return ruling{undecided: l.oneOf && len(l.allow) == 0}, nil
}

func (*List) admit(*server.Exchange, ruling, bool) {}

// prefixes are sorted and disjoint, see policy.Disjoint.
type prefixes []netip.Prefix

// contain reports whether one of the prefixes has the address.
//
// hot: runs per request; no alloc, no lock.
func (p prefixes) contain(a netip.Addr) bool {
	// Only the last prefix that begins at or before the address can have it. IPv4 comes before IPv6.
	from, to := 0, len(p)
	for from < to {
		if i := int(uint(from+to) / 2); a.Less(p[i].Addr()) {
			to = i
		} else {
			from = i + 1
		}
	}
	return from > 0 && p[from-1].Contains(a)
}
