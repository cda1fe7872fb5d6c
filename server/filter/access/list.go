package access

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// List answers 403 to clients whose address is not allowed: policy.Access.
type List struct{ allow, deny prefixes }

// NewList makes a List.
func NewList(f policy.Filter, _ server.Env) (server.Filter, error) {
	p := f.(*policy.Access)
	return &List{p.Allow, p.Deny}, nil
}

// Name implements server.Filter.
func (*List) Name() string { return string(policy.KindAccess) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (l *List) Request(x *server.Exchange) server.Verdict {
	client := x.Client()
	if l.deny.contain(client) || len(l.allow) > 0 && !l.allow.contain(client) {
		return x.Refuse(403, "the address of the client is not allowed")
	}
	return server.Continue
}

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
