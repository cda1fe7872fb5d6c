package annotation

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	allowlist = "allowlist-source-range"
	ranges    = "addresses and CIDRs, with commas between"
)

// Client addresses that are allowed or denied.
var _ = add(
	Row{
		Key: allowlist, Scope: ScopeRoute, Value: ranges, Default: "everybody",
		Set: sourceRange(func(a *policy.Access) *[]netip.Prefix { return &a.Allow }),
		Get: func(s *Settings) any { return fmt.Sprint(accessOf(s).Allow) },
		Doc: "The clients that may ask; others are answered 403. " +
			"What counts is the address that connects or that its PROXY protocol header gives, and, where that is one of forwarded.trusted_cidrs, the last in X-Forwarded-For that is none of them. " +
			"A list that is empty, or of which a part does not parse: the Routes of the object answer 503.",
	},
	Row{
		Key: "denylist-source-range", Scope: ScopeRoute, Value: ranges, Default: "nobody",
		Set: sourceRange(func(a *policy.Access) *[]netip.Prefix { return &a.Deny }),
		Get: func(s *Settings) any { return fmt.Sprint(accessOf(s).Deny) },
		Doc: "Clients that may not ask, and are answered 403, also those that " + allowlist + " has. What is said there of bad lists holds here.",
	},
	Row{
		Key: "whitelist-source-range", Scope: ScopeRoute, Value: ranges, Default: "everybody", Unless: allowlist,
		Set: sourceRange(func(a *policy.Access) *[]netip.Prefix { return &a.Allow }),
		Get: func(s *Settings) any { return fmt.Sprint(accessOf(s).Allow) },
		Doc: "The old name of " + allowlist + ", which counts where both are.",
	},
)

// accessOf returns the Access of the Policy, or a new one that is not in the Policy yet.
func accessOf(s *Settings) *policy.Access {
	if a, ok := s.Policy.Filter(policy.KindAccess).(*policy.Access); ok {
		return a
	}
	return &policy.Access{}
}

// sourceRange makes the Set of a Row whose values are lists of addresses. A value with a bad part closes the object: the
// intended list is unknown.
func sourceRange(field func(*policy.Access) *[]netip.Prefix) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		list, err := parseRanges(value)
		if err != nil {
			return fmt.Errorf("%w: %w", err, s.close("who may ask cannot be read; every path of the object answers 503 rather than being open"))
		}
		a := accessOf(s)
		*field(a) = list
		s.Policy.Set(a)
		return nil
	}
}

// parseRanges reads a list of addresses and CIDRs.
func parseRanges(value string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		p, ok := ParseRange(part)
		if !ok {
			return nil, fmt.Errorf("%s is neither an address nor a CIDR", brief(part))
		}
		list = append(list, p)
	}
	return policy.Disjoint(list), nil
}

// ParseRange reads an address or a CIDR. IPv4 written as IPv6 becomes IPv4, as clients' addresses do.
func ParseRange(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	const mapped = 96 // bits of ::ffff:0:0/96
	if err == nil && p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p, err == nil
}
