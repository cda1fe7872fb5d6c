package informer

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// endpointsOf gathers the Endpoints of a Service's slices for its port of the given name: the ready
// ones, or, when none is ready, those that still serve while they terminate, so that the last Pods of a
// rolling replacement finish the work. Sorted by address; an address that several slices name (they
// overlap while it moves from one to another) is there once. twins is as in routing.Backend.
func endpointsOf(of map[routing.ObjectName]*discoveryv1.EndpointSlice, portName string) (list []routing.Endpoint, twins []int32) {
	var ready, terminating []routing.Endpoint
	for _, slice := range of {
		port, ok := slicePort(slice, portName)
		if !ok || slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			addr, ok := endpointAddr(e)
			if !ok {
				continue
			}
			endpoint := routing.Endpoint{
				Addr: netip.AddrPortFrom(addr, port),
				Zone: stringOr(e.Zone), Node: stringOr(e.NodeName),
			}
			switch c := &e.Conditions; {
			case boolOr(c.Ready, true):
				ready = append(ready, endpoint)
			case boolOr(c.Serving, true) && boolOr(c.Terminating, false):
				terminating = append(terminating, endpoint)
			}
		}
	}
	if len(ready) == 0 {
		ready = terminating
	}
	list = sortEndpoints(ready)
	return list, twinsOf(list, of, portName)
}

// sortEndpoints sorts in place and drops repeated addresses. Of equal addresses the one that sorts
// first by zone and node stays, whatever order the slices came in.
func sortEndpoints(list []routing.Endpoint) []routing.Endpoint {
	slices.SortFunc(list, func(a, b routing.Endpoint) int {
		return cmp.Or(a.Addr.Compare(b.Addr), strings.Compare(a.Zone, b.Zone), strings.Compare(a.Node, b.Node))
	})
	return slices.CompactFunc(list, func(a, b routing.Endpoint) bool { return a.Addr == b.Addr })
}

// slicePort returns the number that a slice has for a Service port's name. Slices carry the Pods'
// real ports, so that targetPort never matters here.
func slicePort(slice *discoveryv1.EndpointSlice, name string) (uint16, bool) {
	for i := range slice.Ports {
		p := &slice.Ports[i]
		if stringOr(p.Name) == name && isTCP(p.Protocol) && p.Port != nil && validPort(*p.Port) {
			return uint16(*p.Port), true
		}
	}
	return 0, false
}

// endpointAddr returns the first address: in the API the others are the same Endpoint.
func endpointAddr(e *discoveryv1.Endpoint) (netip.Addr, bool) {
	if len(e.Addresses) == 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(e.Addresses[0])
	if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// rejectSlice returns the Rejections of a slice, nil for one that is gone: what endpointsOf leaves out.
func (s *backendSet) rejectSlice(slice *discoveryv1.EndpointSlice) (list []Rejection) {
	if slice == nil {
		return nil
	}
	reject := func(field, value, reason string) {
		list = append(list, Rejection{
			Object: Object{Kind: "EndpointSlice", Namespace: slice.Namespace, Name: slice.Name},
			Field:  field, Value: plain.Short(value), Reason: reason,
		})
	}
	if _, ok := serviceOf(slice); !ok {
		// In a cluster other controllers may keep slices, which is no fault.
		if s.manifests {
			reject("metadata.labels["+discoveryv1.LabelServiceName+"]", "",
				"the label that names the Service is missing; the slice is not used")
		}
		return list
	}
	if slice.AddressType == discoveryv1.AddressTypeFQDN {
		reject("addressType", string(slice.AddressType),
			"names are not supported in slices; use addresses, or a Service of type ExternalName")
		return list
	}
	for i := range slice.Ports {
		p := &slice.Ports[i]
		if isTCP(p.Protocol) && (p.Port == nil || !validPort(*p.Port)) {
			reject(fmt.Sprintf("ports[%d].port", i), "", "want a number from 1 to 65535; the port is not used")
		}
	}
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		if _, ok := endpointAddr(e); !ok {
			reject(fmt.Sprintf("endpoints[%d].addresses[0]", i), strings.Join(e.Addresses, ","),
				"want one unicast IP address; the endpoint is not used")
		}
	}
	if refused := s.screen.refusedOf(slice); len(refused) > 0 {
		reject("endpoints", "", "not used: "+s.screen.list(refused)+allowedKey)
	}
	return list
}

func isTCP(p *corev1.Protocol) bool { return p == nil || *p == "" || *p == corev1.ProtocolTCP }

func validPort(p int32) bool { return p >= 1 && p <= 65535 }

func stringOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func boolOr(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}
