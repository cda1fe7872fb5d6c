package upstream

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// slow returns the Backend with a slow start of ten seconds.
func slow(policy routing.Balance, numbers ...int) *routing.Backend {
	b := backend(policy, numbers...)
	b.Resilience = &routing.Resilience{SlowStart: 10 * s}
	return b
}

// shares counts to whom n requests go that end one after the other.
func shares(b *Backend, now int64, n int) map[*Endpoint]int {
	got := map[*Endpoint]int{}
	var open []*Attempt
	for range n {
		a := &Attempt{}
		got[a.Begin(b, now)]++
		if open = append(open, a); len(open) > 8 {
			open[0].Finish(now, ms, OK)
			open = open[1:]
		}
	}
	for _, a := range open {
		a.Finish(now, ms, OK)
	}
	return got
}

func TestSlowStart(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		set, _ := newTestSet(t, Options{})
		now := s
		b := set.Backend(slow(policy, 1, 2, 3))
		for e, n := range shares(b, now, 3000) {
			if n < 600 || n > 1400 || e.warm != 0 {
				t.Errorf("%v: of the first Endpoints, %v got %d of 3000", policy, e.Addr, n)
			}
		}
		b = set.Backend(slow(policy, 1, 2, 3, 4))
		added := named(t, b, 4)
		first := shares(b, now, 4000)[added]
		half := shares(b, now+5*s, 4000)[added]
		whole := shares(b, now+10*s, 4000)[added]
		if first == 0 || first > 300 || half < first*2 || half > 900 || whole < 800 || added.warm != 0 || b.warming != 0 {
			t.Errorf("%v: of 4000 the new one got %d at first, %d in the middle, %d at the end; warming %d", policy, first, half, whole, b.warming)
		}
	}
}

// TestSlowStartOfAll: where every Endpoint is new none is preferred, and none is waited for.
func TestSlowStartOfAll(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		set, _ := newTestSet(t, Options{})
		set.Backend(slow(policy))
		b := set.Backend(slow(policy, 1, 2))
		for e, n := range shares(b, s, 2000) {
			if e == nil || n < 700 || n > 1300 {
				t.Errorf("%v: %v got %d of 2000", policy, e, n)
			}
		}
	}
}

// TestSlowStartBehindEjection: an Endpoint that is back grows into its share again; one that leaves meanwhile leaves no trace.
func TestSlowStartBehindEjection(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(slow(routing.RoundRobin, 1, 2, 3, 4))
	e, now := named(t, b, 2), s
	for range 3 {
		exchange(e, now, ms, ConnectFailed)
	}
	if !e.Ejected() {
		t.Fatal("not ejected")
	}
	now = e.until
	exchange(b.pick(now, nil), now, ms, OK)
	if got := shares(b, now, 4000)[e]; e.Ejected() || b.warming != 1 || got > 300 {
		t.Errorf("ejected %v, warming %d, got %d of 4000", e.Ejected(), b.warming, got)
	}
	if b = set.Backend(slow(routing.RoundRobin, 1, 3, 4)); b.warming != 0 {
		t.Errorf("warming %d", b.warming)
	}
	set.Backend(slow(routing.RoundRobin, 1, 3, 4, 5))
	if b = set.Backend(backend(routing.RoundRobin, 1, 3, 4, 5)); b.warming != 0 || named(t, b, 5).warm != 0 {
		t.Errorf("warming %d without a slow start", b.warming)
	}
}

func BenchmarkSlowStart(b *testing.B) {
	set := NewSet(Options{})
	set.Backend(slow(routing.RoundRobin, upTo(9)...))
	state := set.Backend(slow(routing.RoundRobin, upTo(10)...))
	b.ReportAllocs()
	for b.Loop() {
		var a Attempt
		a.Begin(state, s)
		a.Finish(s, ms, OK)
	}
}
