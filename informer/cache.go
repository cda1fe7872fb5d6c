package informer

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sluice-gateway/sluice/routing"
)

// cache holds the Ingresses and Services; the other objects are held by the sets that they are about. Owned by the
// builder's goroutine; the objects are shared with their source and never edited.
type cache struct {
	ingresses map[routing.ObjectName]*networkingv1.Ingress
	services  map[routing.ObjectName]*corev1.Service
}

func newCache() cache {
	return cache{
		ingresses: make(map[routing.ObjectName]*networkingv1.Ingress),
		services:  make(map[routing.ObjectName]*corev1.Service),
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
		a.Spec.ExternalName == b.Spec.ExternalName && a.Spec.ClusterIP == b.Spec.ClusterIP &&
		slices.EqualFunc(a.Spec.Ports, b.Spec.Ports, func(x, y corev1.ServicePort) bool {
			return x.Name == y.Name && x.Port == y.Port && x.Protocol == y.Protocol && appProtocol(x) == appProtocol(y) &&
				(x.TargetPort == y.TargetPort || a.Spec.Type != corev1.ServiceTypeExternalName)
		})
}
