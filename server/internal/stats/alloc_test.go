//go:build !race

package stats

import "testing"

func TestRecordDoesNotAllocate(t *testing.T) {
	r := NewRegistry(snapshotOf("cart"), nil, roomy)
	s := r.NewShard(nil, nil)
	x := r.Attach(routeOf("web", "h", "/", 0))
	e := &Event{Method: 1, Status: 200, BytesIn: 300, BytesOut: 1000, Duration: 1e6, Upstream: 8e5, Header: 7e5}
	for _, series := range []*Series{x, nil} {
		s.Record(series, e)
		if n := testing.AllocsPerRun(1000, func() { s.Record(series, e) }); n != 0 {
			t.Errorf("Record allocates %v times", n)
		}
	}
}
