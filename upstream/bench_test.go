package upstream

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// BenchmarkRequest is all that one request asks of this package.
func BenchmarkRequest(b *testing.B) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for _, n := range []int{1, 10, 1000} {
			b.Run(fmt.Sprintf("%v/endpoints=%d", policy, n), func(b *testing.B) {
				set := NewSet(Options{})
				r := backend(policy, upTo(n)...)
				for _, e := range set.Backend(r).endpoints {
					for range 4 {
						e.Release(dial(e), s)
					}
				}
				now := s
				b.ReportAllocs()
				for b.Loop() {
					now += 100
					e := set.Backend(r).Pick(now, nil)
					c := e.Acquire(now)
					e.Started(now)
					e.Finished(now, ms, OK)
					e.Release(c, now)
				}
			})
		}
	}
}

// BenchmarkReconcile is one Endpoint of many that comes or goes.
func BenchmarkReconcile(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("endpoints=%d", n), func(b *testing.B) {
			set := NewSet(Options{})
			all := [2]*routing.Backend{backend(0, upTo(n)...), backend(0, upTo(n+1)...)}
			i := 0
			for b.Loop() {
				set.Backend(all[i&1])
				i++
			}
		})
	}
}
