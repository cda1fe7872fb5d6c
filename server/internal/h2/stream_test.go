package h2

import (
	"math/rand/v2"
	"testing"
)

// TestStreamTable compares with a map, with streams that live short and long.
func TestStreamTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var table streamTable
	want := map[uint32]*Stream{}
	id := uint32(1)
	for range 20000 {
		if rng.IntN(2) == 0 || len(want) == 0 {
			s := &Stream{id: id}
			table.add(s)
			want[id] = s
			id += 2 * uint32(1+rng.IntN(3))
		} else {
			for k, s := range want { // any
				table.remove(s)
				delete(want, k)
				break
			}
		}
		if table.n != len(want) {
			t.Fatalf("%d streams, want %d", table.n, len(want))
		}
		if probe := uint32(rng.IntN(int(id) + 2)); table.get(probe|1) != want[probe|1] {
			t.Fatalf("stream %d is %v, want %v", probe|1, table.get(probe|1), want[probe|1])
		}
	}
	seen := 0
	table.all(func(s *Stream) bool { seen++; return want[s.id] == s })
	if seen != len(want) {
		t.Errorf("%d streams seen of %d", seen, len(want))
	}
}

// TestClosedStreams: how the last few ended is remembered, those that we reset apart from the others.
func TestClosedStreams(t *testing.T) {
	var m closedStreams
	if m.find(1) != endedNever {
		t.Error("an empty memory remembers stream 1")
	}
	m.add(1, endedByUs)
	for id := uint32(3); id < 300; id += 2 {
		m.add(id, endedBoth)
	}
	m.add(maxWindow, endedByPeer)
	for _, c := range []struct{ id, how uint32 }{{1, endedByUs}, {3, endedNever}, {299, endedBoth}, {maxWindow, endedByPeer}} {
		if got := m.find(c.id); got != c.how {
			t.Errorf("stream %d: got %d, want %d", c.id, got, c.how)
		}
	}
}
