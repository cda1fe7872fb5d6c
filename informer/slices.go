package informer

import (
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// sliceSet holds the EndpointSlices, by name and by the Service that they belong to. The objects are shared with their
// source and never edited.
type sliceSet struct {
	byName map[routing.ObjectName]*discoveryv1.EndpointSlice
	of     map[routing.ObjectName]map[routing.ObjectName]*discoveryv1.EndpointSlice
}

func newSliceSet() sliceSet {
	return sliceSet{
		byName: make(map[routing.ObjectName]*discoveryv1.EndpointSlice),
		of:     make(map[routing.ObjectName]map[routing.ObjectName]*discoveryv1.EndpointSlice),
	}
}

// put stores a slice, nil when it is gone, and returns the one that it replaces.
func (s *sliceSet) put(name routing.ObjectName, next *discoveryv1.EndpointSlice) (old *discoveryv1.EndpointSlice) {
	old = put(s.byName, name, next)
	if old != nil {
		if service, ok := serviceOf(old); ok {
			if delete(s.of[service], name); len(s.of[service]) == 0 {
				delete(s.of, service)
			}
		}
	}
	if next != nil {
		if service, ok := serviceOf(next); ok {
			if s.of[service] == nil {
				s.of[service] = make(map[routing.ObjectName]*discoveryv1.EndpointSlice)
			}
			s.of[service][name] = next
		}
	}
	return old
}

// serviceOf returns the Service that a slice belongs to, by its label.
func serviceOf(s *discoveryv1.EndpointSlice) (routing.ObjectName, bool) {
	name := s.Labels[discoveryv1.LabelServiceName]
	return routing.ObjectName{Namespace: s.Namespace, Name: name}, name != ""
}
