package informer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// Service ports and the ports of the Service's slices are matched by name. Where no slice has the name
// there is no Endpoint, and neither the Ingress nor the Service shows why: the slices of a Service
// without a selector are written by hand, and there names differ.

// rejectPorts returns the Rejections of the ports of a Service that Ingresses use.
func (s *backendSet) rejectPorts(service routing.ObjectName) (list []Rejection) {
	var said []string
	for _, sl := range s.byService[service] {
		if sl.target.external.name != "" || sl.target.cluster.IsValid() || slices.Contains(said, sl.target.port) {
			continue
		}
		said = append(said, sl.target.port)
		if reason := portFault(s.slices.of[service], sl.target.port); reason != "" {
			list = append(list, Rejection{
				Object: Object{Kind: "Service", Namespace: service.Namespace, Name: service.Name},
				Field:  "spec.ports", Value: plain.Short(sl.target.port), Reason: reason + "; its paths answer 503",
			})
		}
	}
	return list
}

// maxPortsNamed bounds the ports that a Rejection lists.
const maxPortsNamed = 3

// portFault reports that no slice has a port of a name. Slices without Endpoints do not count: where no Pod is
// selected there is one slice, without ports.
func portFault(of map[routing.ObjectName]*discoveryv1.EndpointSlice, name string) string {
	counted := 0
	var others []string
	for _, slice := range of {
		if slice.AddressType == discoveryv1.AddressTypeFQDN || len(slice.Endpoints) == 0 {
			continue
		}
		if _, ok := slicePort(slice, name); ok {
			return ""
		}
		counted++
		for i := range slice.Ports {
			other := describePort(&slice.Ports[i])
			if !slices.Contains(others, other) {
				others = append(others, other)
			}
		}
	}
	if counted == 0 {
		return ""
	}
	reason := fmt.Sprintf("%d slices, none has a port %s", counted, namedPort(name))
	if counted == 1 {
		reason = "1 slice, and it has no port " + namedPort(name)
	}
	if len(others) == 0 {
		return reason + ", or any other"
	}
	slices.Sort(others)
	return reason + "; there is " + plain.List(others, maxPortsNamed)
}

func namedPort(name string) string {
	if name == "" {
		return "without a name"
	}
	return "named " + plain.Short(name)
}

// describePort is a port of a slice for people: its name, or number, and its protocol if that is not TCP.
func describePort(p *discoveryv1.EndpointPort) string {
	s := plain.Short(stringOr(p.Name))
	if s == "" {
		s = "one without a name"
	}
	if p.Port != nil {
		s += " (" + strconv.Itoa(int(*p.Port))
	} else {
		s += " (no number"
	}
	if !isTCP(p.Protocol) {
		s += ", " + strings.ToUpper(string(*p.Protocol))
	}
	return s + ")"
}
