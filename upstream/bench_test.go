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
					var a Attempt
					e := a.Begin(set.Backend(r), now)
					c := e.Acquire(now)
					a.Finish(now, ms, OK)
					e.Release(c, now)
				}
			})
		}
	}
}

// BenchmarkWish is the choice by a wish, and its end.
func BenchmarkWish(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("endpoints=%d", n), func(b *testing.B) {
			set := NewSet(Options{})
			state := set.Backend(backend(routing.RoundRobin, upTo(n)...))
			now, i := s, 0
			b.ReportAllocs()
			for b.Loop() {
				now, i = now+100, (i+7)%n
				var a Attempt
				a.Prefer(state, addr(i), now)
				a.Finish(now, ms, OK)
			}
		})
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
