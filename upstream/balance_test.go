package upstream

import (
	"math"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestRoundRobinIsExact(t *testing.T) {
	set, _ := newTestSet(t, Options{Seed: 1})
	b := set.Backend(backend(routing.RoundRobin, upTo(7)...))
	picks := map[*Endpoint]int{}
	for range 7 * 100 {
		picks[b.pick(s, nil)]++
	}
	for _, e := range b.endpoints {
		if picks[e] != 100 {
			t.Errorf("%v picked %d times of 700", e.Addr, picks[e])
		}
	}
}

func TestRoundRobinStartsApart(t *testing.T) {
	first := map[int]int{}
	for seed := range uint64(400) {
		set, _ := newTestSet(t, Options{Seed: seed})
		b := set.Backend(backend(routing.RoundRobin, upTo(4)...))
		e := b.pick(s, nil)
		for i := range b.endpoints {
			if b.endpoints[i] == e {
				first[i]++
			}
		}
	}
	for i := range 4 {
		if first[i] < 70 || first[i] > 130 {
			t.Errorf("%d of 400 loops start with Endpoint %d", first[i], i)
		}
	}
}

func TestPickAvoids(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for _, n := range []int{0, 1, 2, 3, 10} {
			set, _ := newTestSet(t, Options{Seed: uint64(n)})
			b := set.Backend(backend(policy, upTo(n)...))
			if n == 0 {
				if b.pick(s, nil) != nil {
					t.Errorf("%v: picked from nothing", policy)
				}
				continue
			}
			for range 200 {
				avoid := b.endpoints[set.random.below(n)]
				got := b.pick(s, avoid)
				if got == nil || (got == avoid) != (n == 1) {
					t.Fatalf("%v of %d: avoided %v, picked %v", policy, n, avoid.Addr, got)
				}
			}
		}
	}
}

func TestPickAvoidsByTakingAnEjectedOne(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2))
	bad, good := named(t, b, 1), named(t, b, 2)
	for range 3 {
		exchange(bad, s, ms, ConnectFailed)
	}
	if !bad.Ejected() {
		t.Fatal("not ejected")
	}
	if got := b.pick(s, good); got != bad {
		t.Errorf("picked %v where only the ejected one is another", got.Addr)
	}
	if got := b.pick(s, bad); got != good {
		t.Errorf("picked %v to avoid the ejected one", got.Addr)
	}
}

// simulate sends n requests, one each interval, to Endpoints that take the given latencies, a half
// more or less, and returns how many each got. The variation keeps picks and answers from falling
// into step.
func simulate(b *Backend, latency []int64, n int, interval int64) []int {
	type end struct {
		at, latency int64
		e           *Endpoint
	}
	index := map[*Endpoint]int{}
	for i, e := range b.endpoints {
		index[e] = i
	}
	counts := make([]int, len(latency))
	var open []end
	var vary random
	now := s
	for range n {
		now += interval
		rest := open[:0]
		for _, o := range open {
			if o.at <= now {
				o.e.finished(o.at, o.latency, OK)
			} else {
				rest = append(rest, o)
			}
		}
		open = rest
		e := b.pick(now, nil)
		i := index[e]
		counts[i]++
		e.started(now)
		took := latency[i]/2 + int64(vary.below(int(latency[i])))
		open = append(open, end{now + took, took, e})
	}
	for _, o := range open {
		o.e.finished(o.at, o.latency, OK)
	}
	return counts
}

func TestLoadAwarePoliciesShunTheSlow(t *testing.T) {
	for _, tt := range []struct {
		policy routing.Balance
		most   float64 // share of the slow one; a fair share is 0.25
	}{
		{routing.RoundRobin, 0.25}, // blind to it
		{routing.LeastConnections, 0.15},
		{routing.EWMA, 0.10},
	} {
		for seed := range uint64(5) {
			set, _ := newTestSet(t, Options{Seed: seed})
			b := set.Backend(backend(tt.policy, upTo(4)...))
			counts := simulate(b, []int64{10 * ms, 10 * ms, 100 * ms, 10 * ms}, 20000, ms)
			if share := float64(counts[2]) / 20000; share > tt.most || share == 0 {
				t.Errorf("%v, seed %d: the slow one got %.3f, want at most %.2f", tt.policy, seed, share, tt.most)
			}
		}
	}
}

func TestEqualEndpointsShareEvenly(t *testing.T) {
	for _, policy := range []routing.Balance{routing.LeastConnections, routing.EWMA} {
		for seed := range uint64(5) {
			set, _ := newTestSet(t, Options{Seed: seed})
			b := set.Backend(backend(policy, upTo(5)...))
			latency := []int64{5 * ms, 5 * ms, 5 * ms, 5 * ms, 5 * ms}
			for i, n := range simulate(b, latency, 20000, ms) {
				if math.Abs(float64(n)-4000) > 400 {
					t.Errorf("%v, seed %d: Endpoint %d got %d of 20000, a fair share is 4000", policy, seed, i, n)
				}
			}
		}
	}
}

func TestNewEndpointIsNotStampeded(t *testing.T) {
	set, _ := newTestSet(t, Options{Seed: 3})
	b := set.Backend(backend(routing.EWMA, 0, 1, 2))
	simulate(b, []int64{20 * ms, 20 * ms, 20 * ms}, 3000, ms)
	if b.typical < float64(20*ms) || b.typical > float64(31*ms) {
		t.Fatalf("typical peak %.1f ms, all take 10 to 30 ms", b.typical/float64(ms))
	}
	b = set.Backend(backend(routing.EWMA, 0, 1, 2, 3))
	counts := simulate(b, []int64{20 * ms, 20 * ms, 20 * ms, 20 * ms}, 40, ms)
	if counts[3] == 0 || counts[3] > 20 {
		t.Errorf("the new Endpoint got %d of the first 40, a fair share is 10", counts[3])
	}
}

func TestRefusalIsNotFast(t *testing.T) {
	set, _ := newTestSet(t, Options{Eject: EjectOptions{ConsecutiveFailures: -1}})
	b := set.Backend(backend(routing.EWMA, 0, 1))
	simulate(b, []int64{20 * ms, 20 * ms}, 100, ms)
	bad, good := named(t, b, 0), named(t, b, 1)
	before := bad.score(10 * s)
	exchange(bad, 10*s, ms/10, ConnectFailed)
	if after := bad.score(10 * s); after <= before || after <= good.score(10*s) {
		t.Errorf("score %.1f ms before, %.1f ms after a refusal", before/float64(ms), after/float64(ms))
	}
	for range 100 {
		exchange(bad, 10*s, ms/10, ConnectFailed)
	}
	if bad.cost > maxCost {
		t.Errorf("cost %g is without bound", bad.cost)
	}
}

func TestDecay(t *testing.T) {
	for _, elapsed := range []int64{-s, 0, 1, ms, s, 5 * s, 10 * s, 20 * s, 100 * s} {
		got, want := decay(elapsed), math.Exp(-float64(max(elapsed, 0))/decayTime)
		if math.Abs(got-want) > 0.07 {
			t.Errorf("decay(%d ms) = %.3f, exp is %.3f", elapsed/ms, got, want)
		}
	}
}

func TestRandom(t *testing.T) {
	var r random
	for _, n := range []int{2, 3, 10} {
		pairs := map[[2]int]int{}
		for range 1000 * n * (n - 1) {
			i, j := r.two(n)
			pairs[[2]int{i, j}]++
			if k := r.below(n); k < 0 || k >= n {
				t.Fatalf("below(%d) = %d", n, k)
			}
		}
		if len(pairs) != n*(n-1) {
			t.Errorf("two(%d): %d different pairs, want %d", n, len(pairs), n*(n-1))
		}
		for p, count := range pairs {
			if p[0] == p[1] || p[0] >= n || p[1] >= n || count < 850 || count > 1150 {
				t.Errorf("two(%d): pair %v came %d times of 1000", n, p, count)
			}
		}
	}
}
