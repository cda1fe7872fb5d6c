package routing_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestSplitShares: whatever the weights, each Share gets its part of the draws, within what chance explains.
func TestSplitShares(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const draws = 20_000
	for round := range 200 {
		p := &routing.Split{}
		total := 0.0
		for range 1 + random.IntN(5) {
			weight := []uint32{0, 1, 7, 100, 1000, math.MaxUint32}[random.IntN(6)]
			p.Shares = append(p.Shares, routing.Share{Weight: weight})
			total += float64(weight)
		}
		hits := make([]int, len(p.Shares))
		for range draws {
			i := p.Pick(random.Uint64())
			if total == 0 {
				if i != -1 {
					t.Fatalf("round %d: without weights Share %d was picked", round, i)
				}
				continue
			}
			hits[i]++
		}
		for i, share := range p.Shares {
			part := 0.0
			if total > 0 {
				part = float64(share.Weight) / total
			}
			// Six standard deviations of a binomial distribution, and one draw where they are less.
			if bound := 6*math.Sqrt(draws*part*(1-part)) + 1; math.Abs(float64(hits[i])-draws*part) > bound || share.Weight == 0 && hits[i] > 0 {
				t.Errorf("round %d: Share %d of %v has %d of %d draws", round, i, p.Shares, hits[i], draws)
			}
		}
	}
}

// TestSplitPickEnds: the lowest and the highest draw fall to the first and the last Share with a weight.
func TestSplitPickEnds(t *testing.T) {
	p := &routing.Split{Shares: []routing.Share{{}, {Weight: 1}, {Weight: math.MaxUint32}, {}}}
	if first, last := p.Pick(0), p.Pick(math.MaxUint64); first != 1 || last != 2 {
		t.Errorf("got %d and %d", first, last)
	}
}

// TestShareOf: which Backend a Share of a Split leads to, and which where that has no Endpoint.
func TestShareOf(t *testing.T) {
	ready := func(i int32) *routing.Backend {
		return &routing.Backend{Index: i, Endpoints: make([]routing.Endpoint, 1)}
	}
	s := &routing.Snapshot{Backends: []*routing.Backend{ready(0), ready(1), {Index: 2}, nil}}
	for _, row := range []struct {
		canary       bool
		first, other int32
		share        int
		want         int32 // -1: none
	}{
		{true, 0, 1, 0, 0}, {true, 0, 1, 1, 1}, {true, 0, 2, 1, 0}, {true, 0, 3, 1, 0}, {true, 2, 1, 1, 2}, {true, 3, 1, 1, -1}, {true, -1, 1, 1, -1},
		{false, 0, 2, 1, 2}, {false, 2, 1, 1, 1}, {false, 0, -1, 1, -1}, {false, 0, 1, 2, -1}, {false, 0, 1, -1, -1},
	} {
		p := &routing.Split{Canary: row.canary, Shares: []routing.Share{{Backend: row.first}, {Backend: row.other}}}
		got := int32(-1)
		if b := s.ShareOf(p, row.share); b != nil {
			got = b.Index
		}
		if got != row.want {
			t.Errorf("%+v: got Backend %d", row, got)
		}
	}
}
