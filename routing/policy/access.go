package policy

import (
	"net/netip"
	"slices"
)

// KindAccess is the Kind of Access.
const KindAccess Kind = "access"

// Access restricts requests by client address (nginx.ingress.kubernetes.io/allowlist-source-range and
// denylist-source-range). Addresses on Deny are refused; the others are served where Allow is empty or holds
// them.
type Access struct {
	// Allow and Deny are in the form that Disjoint returns.
	Allow, Deny []netip.Prefix
}

// Disjoint returns the prefixes masked and sorted, without those that another one covers: an address is in one of them at
// most. The list is changed.
func Disjoint(list []netip.Prefix) []netip.Prefix {
	for i, p := range list {
		list[i] = p.Masked()
	}
	// A prefix sorts before those that it covers.
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
