package informer

import (
	"maps"
	"net/netip"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// A Service of two families has slices of each, and a Pod is in both, once with each address. targetRef identifies
// the Pod, or, in slices written by hand, hostname: by the API Endpoints with the same one are the same.

// podOf identifies the Pod behind an Endpoint, or returns "" where the slice does not.
func podOf(e *discoveryv1.Endpoint) string {
	if t := e.TargetRef; t != nil {
		if t.UID != "" {
			return "uid/" + string(t.UID)
		}
		if t.Name != "" {
			return "name/" + t.Kind + "/" + t.Namespace + "/" + t.Name
		}
	}
	if name := stringOr(e.Hostname); name != "" {
		return "hostname/" + name
	}
	return ""
}

// twinsOf finds the Pods that have an address of each family in list, which is sorted and was gathered from
// the slices for a port; nil where there is none. A Pod of which one address is not in list, because it is
// not ready, has no twins.
func twinsOf(list []routing.Endpoint, of map[routing.ObjectName]*discoveryv1.EndpointSlice, portName string) (twins []int32) {
	// IPv4 sorts before IPv6. The rest is for Services that have both families.
	if n := len(list); n == 0 || list[0].Addr.Addr().Is6() || list[n-1].Addr.Addr().Is4() {
		return nil
	}
	positions := make(map[netip.AddrPort]int32, len(list))
	for i := range list {
		positions[list[i].Addr] = int32(i)
	}
	pods := make(map[string]podTwins)
	for _, slice := range of {
		if port, ok := slicePort(slice, portName); ok {
			addTwins(pods, slice, port, positions)
		}
	}
	// In order, because two Pods may claim one address while it passes from one to the other.
	for _, pod := range slices.Sorted(maps.Keys(pods)) {
		v4, v6 := pods[pod][0], pods[pod][1]
		if v4 < 0 || v6 < 0 {
			continue
		}
		if twins == nil {
			twins = slices.Repeat([]int32{-1}, len(list))
		}
		if twins[v4] < 0 && twins[v6] < 0 {
			twins[v4], twins[v6] = v6, v4
		}
	}
	return twins
}

// podTwins has the first position of each family among the Endpoints of a Pod, IPv4 before IPv6, -1 for none.
type podTwins [2]int32

// addTwins adds the Endpoints of a slice to their Pods. positions has the addresses that are looked at.
func addTwins(pods map[string]podTwins, slice *discoveryv1.EndpointSlice, port uint16, positions map[netip.AddrPort]int32) {
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		pod := podOf(e)
		addr, ok := endpointAddr(e)
		if !ok || pod == "" {
			continue
		}
		at, ok := positions[netip.AddrPortFrom(addr, port)]
		if !ok {
			continue
		}
		both, known := pods[pod]
		if !known {
			both = podTwins{-1, -1}
		}
		family := 0
		if addr.Is6() {
			family = 1
		}
		if both[family] < 0 || at < both[family] {
			both[family] = at
		}
		pods[pod] = both
	}
}
