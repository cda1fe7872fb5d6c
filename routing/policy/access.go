package policy

import (
	"net/netip"
	"slices"
)

// KindAccess is that of Access.
const KindAccess Kind = "access"

// Access says by their address who may ask (nginx.ingress.kubernetes.io/allowlist-source-range and
// denylist-source-range). Who is on Deny may not; who is left may where Allow is empty or holds the address.
type Access struct {
	// Allow and Deny are as Disjoint makes them.
	Allow, Deny []netip.Prefix
}

// Disjoint returns the prefixes masked and sorted, without those that another one covers: an address is in one of them at
// most. The list is changed.
func Disjoint(list []netip.Prefix) []netip.Prefix {
	for i, p := range list {
		list[i] = p.Masked()
	}
	// A prefix comes before what it covers.
	slices.SortFunc(list, netip.Prefix.Compare)
	kept := list[:0]
	for _, p := range list {
		if n := len(kept); n == 0 || !kept[n-1].Overlaps(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// Kind implements Filter.
func (*Access) Kind() Kind { return KindAccess }

// Equal implements Filter.
func (a *Access) Equal(f Filter) bool {
	o := f.(*Access)
	return slices.Equal(a.Allow, o.Allow) && slices.Equal(a.Deny, o.Deny)
}

// AppendText implements Filter.
func (a *Access) AppendText(b []byte) []byte {
	for i, list := range [...][]netip.Prefix{a.Deny, a.Allow} {
		if len(list) == 0 {
			continue
		}
		if i == 1 && len(a.Deny) > 0 {
			b = append(b, ' ')
		}
		b = append(b, [...]string{"deny ", "allow "}[i]...)
		for i, p := range list {
			if i > 0 {
				b = append(b, ',')
			}
			b = p.AppendTo(b)
		}
	}
	return b
}
