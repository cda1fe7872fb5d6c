package stats

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

func BenchmarkRecord(b *testing.B) {
	for _, routes := range []int{1, 100, 10_000, 100_000} {
		b.Run(strconv.Itoa(routes)+"routes", func(b *testing.B) {
			r := NewRegistry(snapshotOf("cart"), nil, roomy)
			s := r.NewShard(nil, nil)
			series := make([]*Series, routes)
			for i := range series {
				series[i] = r.Attach(routeOf("web", "h", "/"+strconv.Itoa(i), 0))
			}
			e := &Event{Method: 1, Status: 200, BytesIn: 300, BytesOut: 1000, Duration: 1e6, Upstream: 8e5, Header: 7e5}
			for _, one := range series {
				s.Record(one, e)
			}
			// In no order that memory could guess.
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(series), func(i, j int) { series[i], series[j] = series[j], series[i] })
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == routes {
					i = 0
				}
				e.Duration = int64(i) << 16
				s.Record(series[i], e)
			}
		})
	}
}

// BenchmarkHandOver is the cost of a scrape to the loop, apart from the two switches of goroutine.
func BenchmarkHandOver(b *testing.B) {
	const routes = 10_000
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	s := r.NewShard(nil, nil)
	series := make([]*Series, routes)
	for i := range series {
		series[i] = r.Attach(routeOf("web", "h", "/"+strconv.Itoa(i), 0))
	}
	var returned batch
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for _, one := range series {
			s.Record(one, &Event{Method: 1, Status: 200})
		}
		b.StartTimer()
		returned = s.handOver(returned)
	}
}
