package informer

import (
	"fmt"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/internal/source"
)

// BenchmarkChange is the cost of one changed object, from its event to a Snapshot.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		w := newWorld(Config{IngressClass: DefaultClass, Controllers: []string{DefaultController}, Manifests: "dir"})
		w.step(fleet(n)...)
		bld := w.b
		b.Run(fmt.Sprintf("endpoint/ingresses=%d", n), func(b *testing.B) {
			change := []source.Event{fleetSlice(n/2, "10.0.0.1"), fleetSlice(n/2, "10.0.0.2")}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				bld.apply(change[i%2].Key, change[i%2].Object)
				if bld.build() == nil {
					b.Fatal("nothing changed")
				}
			}
		})
		b.Run(fmt.Sprintf("ingress/ingresses=%d", n), func(b *testing.B) {
			key := keyOf(source.Ingress, fleetName(n/2))
			was := w.objects[key].(*networkingv1.Ingress)
			moved := was.DeepCopy()
			moved.Spec.Rules[0].HTTP.Paths[0].Path = "/moved"
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				bld.apply(key, []*networkingv1.Ingress{moved, was}[i%2])
				if bld.build() == nil {
					b.Fatal("nothing changed")
				}
			}
		})
		b.Run(fmt.Sprintf("status/ingresses=%d", n), func(b *testing.B) {
			key := keyOf(source.Ingress, fleetName(n/2))
			same := w.objects[key].(*networkingv1.Ingress).DeepCopy()
			bld.apply(key, same)
			bld.build()
			b.ReportAllocs()
			for b.Loop() {
				bld.apply(key, same.DeepCopy())
				if bld.build() != nil {
					b.Fatal("something changed")
				}
			}
		})
	}
}

// BenchmarkScratch is the first build.
func BenchmarkScratch(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		events := fleet(n)
		b.Run(fmt.Sprintf("ingresses=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newWorld(Config{IngressClass: DefaultClass, Controllers: []string{DefaultController}, Manifests: "dir"}).step(events...)
			}
		})
	}
}
