package informer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// screen decides which addresses no Endpoint may have: those that mean something else here than where they were
// written. The right to write a Service would otherwise make the gateway ask its own node, or the cloud's service
// that hands out the node's credentials, in its own name. Resolved addresses, literal addresses in externalName
// and those of slices all pass here, each time that one of them changes. Owned by the builder's goroutine.
type screen struct {
	// allowed are ranges that pass, whatever they are.
	allowed []netip.Prefix
	// here lets the machine's own addresses pass: manifests belong to its operator.
	here bool
	// own are the addresses of the interfaces, sorted.
	own []netip.Addr
}

func newScreen(cfg *Config) screen {
	return screen{allowed: cfg.AllowedEndpoints, here: cfg.Manifests != ""}
}

// A special range is refused. The list is from RFC 6890; the ranges left out are in use in clusters
// (100.64.0.0/10, 198.18.0.0/15, 240.0.0.0/4 without its last address, fc00::/7).
var special = []struct {
	prefix netip.Prefix
	what   string
	here   bool
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", true},
	{netip.MustParsePrefix("::1/128"), "loopback", true},
	// Connecting to 0.0.0.0 reaches loopback.
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified", false},
	{netip.MustParsePrefix("::/128"), "unspecified", false},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local, where clouds hand out credentials", false},
	{netip.MustParsePrefix("fe80::/10"), "link-local", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", false},
	{netip.MustParsePrefix("ff00::/8"), "multicast", false},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast", false},
	// Addresses of clouds that are not link-local: Amazon's services for instances, Google's, Scaleway's
	// and Oracle's metadata, Alibaba's, and Azure's agent.
	{netip.MustParsePrefix("fd00:ec2::/32"), "a cloud's metadata service", false},
	{netip.MustParsePrefix("fd20:ce::254/128"), "a cloud's metadata service", false},
	{netip.MustParsePrefix("fd00:42::42/128"), "a cloud's metadata service", false},
	{netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), "a cloud's metadata service", false},
	{netip.MustParsePrefix("100.100.100.200/32"), "a cloud's metadata service", false},
	{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's metadata service", false},
	{netip.MustParsePrefix("192.0.0.192/32"), "a cloud's metadata service", false},
}

// A spelling is an IPv6 range whose addresses contain IPv4 ones, at a byte offset.
var spellings = []struct {
	prefix netip.Prefix
	at     int
	xor    byte
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), 12, 0},   // IPv4-mapped
	{netip.MustParsePrefix("::/96"), 12, 0},           // IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0}, // IPv4-translated (RFC 2765)
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12, 0},  // NAT64 of a site (RFC 8215), in its usual length
	{netip.MustParsePrefix("2002::/16"), 2, 0},        // 6to4 (RFC 3056)
	{netip.MustParsePrefix("2001::/32"), 12, 0xff},    // Teredo (RFC 4380)
}

// embedded returns the IPv4 address that an IPv6 one contains.
func embedded(a netip.Addr) (v4 netip.Addr, ok bool) {
	b := a.As16()
	for _, s := range spellings {
		if s.prefix.Contains(a) {
			var four [4]byte
			for i := range four {
				four[i] = b[s.at+i] ^ s.xor
			}
			return netip.AddrFrom4(four), true
		}
	}
	// ISATAP (RFC 5214): the last eight bytes are 0000:5efe or 0200:5efe and the address.
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}

// refuses returns what makes an address one that no Endpoint may have, or nothing.
func (s *screen) refuses(a netip.Addr) string {
	a = a.WithZone("")
	if a.Is4In6() {
		a = a.Unmap()
	}
	if slices.ContainsFunc(s.allowed, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return ""
	}
	for _, r := range special {
		if r.prefix.Contains(a) {
			if r.here && s.here {
				return ""
			}
			return r.what
		}
	}
	if !s.here {
		if _, own := slices.BinarySearchFunc(s.own, a, netip.Addr.Compare); own {
			return "an address of the gateway's own node"
		}
	}
	if a.Is6() {
		if v4, ok := embedded(a); ok {
			if what := s.refuses(v4); what != "" {
				return what + ", as " + v4.String()
			}
		}
	}
	return ""
}

// ranges returns what refuses does for those who have only ranges to compare with: each that is refused, and those that pass
// all the same. An IPv6 address that contains an IPv4 one is refused whichever that is.
func (s *screen) ranges() (refused, allowed []netip.Prefix) {
	for _, r := range special {
		if !r.here || !s.here {
			refused = append(refused, r.prefix)
		}
	}
	if !s.here {
		for _, a := range s.own {
			refused = append(refused, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	for _, p := range spellings[1:] { // the first is written as IPv4 before it is compared
		if !s.here || !p.prefix.Contains(netip.IPv6Loopback()) {
			refused = append(refused, p.prefix)
		}
	}
	return refused, s.allowed
}

// keep returns the allowed Endpoints, with their twins (see routing.Backend), and the addresses of the
// others, each once.
func (s *screen) keep(list []routing.Endpoint, twins []int32) (kept []routing.Endpoint, keptTwins []int32, refused []netip.Addr) {
	moved := make([]int32, len(list)) // new positions; -1 for removed
	for i, e := range list {
		if addr := e.Addr.Addr(); s.refuses(addr) == "" {
			moved[i] = int32(len(kept))
			kept = append(kept, e)
		} else if moved[i] = -1; !slices.Contains(refused, addr) {
			refused = append(refused, addr)
		}
	}
	if refused == nil {
		return list, twins, nil
	}
	if twins == nil {
		return kept, nil, refused
	}
	keptTwins = make([]int32, len(kept))
	paired := false
	for i, to := range moved {
		if to < 0 {
			continue
		}
		if keptTwins[to] = -1; twins[i] >= 0 {
			keptTwins[to] = moved[twins[i]]
		}
		paired = paired || keptTwins[to] >= 0
	}
	if !paired {
		// As where there never were twins.
		keptTwins = nil
	}
	return kept, keptTwins, refused
}

// refusedOf returns the addresses of a slice that no Endpoint may have.
func (s *screen) refusedOf(slice *discoveryv1.EndpointSlice) (refused []netip.Addr) {
	for i := range slice.Endpoints {
		if a, ok := endpointAddr(&slice.Endpoints[i]); ok && s.refuses(a) != "" {
			refused = append(refused, a)
		}
	}
	return refused
}

// allowedKey ends the Rejections of addresses.
const allowedKey = "; kubernetes.allowed_endpoints lets named ranges through"

// list names a few addresses, each with its range's meaning.
func (s *screen) list(addrs []netip.Addr) string {
	const few = 3
	var parts []string
	for _, a := range addrs[:min(few, len(addrs))] {
		parts = append(parts, a.String()+" ("+s.refuses(a)+")")
	}
	if more := len(addrs) - few; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

// rejectAddresses returns the Rejections of the resolved addresses of a Service. Such an address in a slice is the
// slice's Rejection.
func (s *backendSet) rejectAddresses(service routing.ObjectName) (list []Rejection) {
	for _, sl := range s.byService[service] {
		// All slots of a Service resolve the same name.
		if name := sl.target.external.name; name != "" && len(sl.refused) > 0 {
			list = []Rejection{{
				Object: Object{Kind: "Service", Namespace: service.Namespace, Name: service.Name},
				Field:  "spec.externalName", Value: plain.Short(name),
				Reason: "it resolves to " + s.screen.list(sl.refused) + ", which no Endpoint may have; what is left is used" + allowedKey,
			}}
		}
	}
	return list
}
