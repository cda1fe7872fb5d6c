package informer

import (
	"bytes"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// cache holds the objects of the cluster. Owned by the builder's goroutine; the objects are shared
// with their source and never edited.
type cache struct {
	ingresses map[routing.ObjectName]*networkingv1.Ingress
	services  map[routing.ObjectName]*corev1.Service
	slices    map[routing.ObjectName]*discoveryv1.EndpointSlice
	secrets   map[routing.ObjectName]*corev1.Secret
	// slicesOf indexes slices by the Service they belong to.
	slicesOf map[routing.ObjectName]map[routing.ObjectName]*discoveryv1.EndpointSlice
}

func newCache() cache {
	return cache{
		ingresses: make(map[routing.ObjectName]*networkingv1.Ingress),
		services:  make(map[routing.ObjectName]*corev1.Service),
		slices:    make(map[routing.ObjectName]*discoveryv1.EndpointSlice),
		secrets:   make(map[routing.ObjectName]*corev1.Secret),
		slicesOf:  make(map[routing.ObjectName]map[routing.ObjectName]*discoveryv1.EndpointSlice),
	}
}

// put stores next under key, or removes the key when next is nil, and returns what was there.
func put[K comparable, V any](m map[K]*V, key K, next *V) (old *V) {
	old = m[key]
	if next == nil {
		delete(m, key)
	} else {
		m[key] = next
	}
	return old
}

// putSlice stores a slice and its index, and returns the one it replaces.
func (c *cache) putSlice(name routing.ObjectName, next *discoveryv1.EndpointSlice) (old *discoveryv1.EndpointSlice) {
	old = put(c.slices, name, next)
	if old != nil {
		if service, ok := serviceOf(old); ok {
			of := c.slicesOf[service]
			delete(of, name)
			if len(of) == 0 {
				delete(c.slicesOf, service)
			}
		}
	}
	if next != nil {
		if service, ok := serviceOf(next); ok {
			of := c.slicesOf[service]
			if of == nil {
				of = make(map[routing.ObjectName]*discoveryv1.EndpointSlice)
				c.slicesOf[service] = of
			}
			of[name] = next
		}
	}
	return old
}

// serviceOf returns the Service that a slice belongs to, by its label.
func serviceOf(s *discoveryv1.EndpointSlice) (routing.ObjectName, bool) {
	name := s.Labels[discoveryv1.LabelServiceName]
	return routing.ObjectName{Namespace: s.Namespace, Name: name}, name != ""
}

// The next functions report whether a change can matter to a Snapshot. Most updates do not: status,
// labels of other tools, resourceVersion.

func sameIngress(a, b *networkingv1.Ingress) bool {
	return a != nil && b != nil &&
		a.CreationTimestamp.Equal(&b.CreationTimestamp) &&
		maps.Equal(a.Annotations, b.Annotations) &&
		equality.Semantic.DeepEqual(&a.Spec, &b.Spec)
}

func sameClass(a, b *networkingv1.IngressClass) bool {
	return a != nil && b != nil &&
		a.Spec.Controller == b.Spec.Controller &&
		(a.Spec.Parameters == nil) == (b.Spec.Parameters == nil) &&
		a.CreationTimestamp.Equal(&b.CreationTimestamp) &&
		isDefaultClass(a) == isDefaultClass(b)
}

func sameService(a, b *corev1.Service) bool {
	return a != nil && b != nil &&
		a.Spec.Type == b.Spec.Type &&
		a.Spec.ExternalName == b.Spec.ExternalName &&
		slices.EqualFunc(a.Spec.Ports, b.Spec.Ports, func(x, y corev1.ServicePort) bool {
			return x.Name == y.Name && x.Port == y.Port && x.Protocol == y.Protocol && appProtocol(x) == appProtocol(y) &&
				(x.TargetPort == y.TargetPort || a.Spec.Type != corev1.ServiceTypeExternalName)
		})
}

func sameSecret(a, b *corev1.Secret) bool {
	return a != nil && b != nil && a.Type == b.Type &&
		!slices.ContainsFunc(source.SecretKeys, func(key string) bool { return !bytes.Equal(a.Data[key], b.Data[key]) })
}
