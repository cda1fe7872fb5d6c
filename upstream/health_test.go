package upstream

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestEjectionByConsecutiveFailures(t *testing.T) {
	fails := func(n int, o Outcome) []Outcome {
		var all []Outcome
		for range n {
			all = append(all, o)
		}
		return all
	}
	for _, tt := range []struct {
		name     string
		outcomes []Outcome
		limit    int
		want     bool
	}{
		{"two refusals", fails(2, ConnectFailed), 0, false},
		{"three refusals", fails(3, ConnectFailed), 0, true},
		{"three timeouts", fails(3, ResponseTimeout), 0, true},
		{"mixed failures", []Outcome{ConnectTimeout, Reset, Truncated}, 0, true},
		{"a success between", []Outcome{Reset, Reset, OK, Reset, Reset}, 0, false},
		{"a cancel between", []Outcome{Reset, Reset, Canceled, Reset}, 0, true},
		{"a stale Conn between", []Outcome{Reset, Stale, Reset, Malformed}, 0, true},
		{"only cancels", fails(50, Canceled), 0, false},
		{"only stale Conns", fails(50, Stale), 0, false},
		{"limit of one", fails(1, Malformed), 1, true},
		{"switched off", fails(50, ConnectFailed), -1, false},
	} {
		set, _ := newTestSet(t, Options{Eject: EjectOptions{ConsecutiveFailures: tt.limit}})
		b := set.Backend(backend(routing.RoundRobin, 1, 2, 3))
		e := named(t, b, 1)
		for _, o := range tt.outcomes {
			exchange(e, s, ms, o)
		}
		if e.Ejected() != tt.want {
			t.Errorf("%s: ejected %v, want %v", tt.name, e.Ejected(), tt.want)
		}
		for range 20 {
			if got := b.pick(s, nil); tt.want && got == e {
				t.Errorf("%s: picked while ejected", tt.name)
			}
		}
	}
}

func TestEjectionEndsWithOneProbe(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2, 3))
	e := named(t, b, 1)
	now := s
	for range 3 {
		exchange(e, now, ms, ConnectFailed)
	}

	// Each failed probe doubles the ejection, up to the bound.
	for _, length := range []int64{1, 2, 4, 8, 16, 32, 60, 60} {
		wait := e.until - now
		if wait < length*s*3/4 || wait > length*s*5/4 {
			t.Fatalf("ejected for %d ms, want about %d s", wait/ms, length)
		}
		if countPicks(b, e, now+wait-1, 30) != 0 {
			t.Fatal("picked before its time")
		}
		now += wait
		if countPicks(b, e, now, 30) != 1 {
			t.Fatal("not exactly one probe when due")
		}
		exchange(e, now, ms, ConnectFailed)
	}

	// A neutral end decides nothing: the next Pick probes again.
	now = e.until
	if b.pick(now, nil) != e {
		t.Fatal("no probe when due")
	}
	exchange(e, now, ms, Canceled)
	if countPicks(b, e, now, 30) != 1 {
		t.Fatal("no second probe after a canceled one")
	}

	// A probe that never reports is lost after its lease.
	now = e.until
	if countPicks(b, e, now, 30) != 1 {
		t.Fatal("no probe after a lost one")
	}

	// A success brings it back at once, with a clean record.
	exchange(e, now, ms, OK)
	if e.Ejected() || countPicks(b, e, now, 30) != 10 {
		t.Fatal("not back after a successful probe")
	}
	exchange(e, now, ms, Reset)
	exchange(e, now, ms, Reset)
	if e.Ejected() {
		t.Fatal("old failures count after a success")
	}
	exchange(e, now, ms, Reset)
	if wait := e.until - now; wait > s*5/4 {
		t.Fatalf("first ejection of a new series lasts %d ms", wait/ms)
	}
}

// countPicks returns how many of n Picks at now take e.
func countPicks(b *Backend, e *Endpoint, now int64, n int) int {
	count := 0
	for range n {
		if b.pick(now, nil) == e {
			count++
		}
	}
	return count
}

func TestResultsFromBeforeTheEjectionDoNotCount(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2))
	e := named(t, b, 1)
	for range 10 {
		e.started(s)
	}
	for range 3 {
		e.finished(s, ms, Reset)
	}
	until := e.until
	for range 5 {
		e.finished(s+ms, ms, Reset)
	}
	for range 2 {
		e.finished(s+ms, ms, OK)
	}
	if !e.Ejected() || e.until != until || e.InFlight != 0 {
		t.Error("exchanges from before the ejection changed it")
	}
}

// TestTriedForWantOfAnother: of two Endpoints one is ejected and well again when the other goes. The first request that
// falls back to it brings it back, so that the other one can be ejected, and no more requests fail at that first.
func TestTriedForWantOfAnother(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2))
	one, two := named(t, b, 1), named(t, b, 2)
	one.started(s)
	for range 3 {
		exchange(one, s, ms, ConnectFailed)
	}
	one.finished(s, ms, OK) // from before
	if !one.Ejected() {
		t.Fatal("not ejected")
	}
	failed := 0
	for range 100 {
		e := b.pick(s, nil)
		if e == two {
			exchange(e, s, ms, ConnectFailed)
			failed++
			e = b.pick(s, e)
		}
		if e != one {
			t.Fatal("the one that is well was not tried")
		}
		exchange(e, s, ms, OK)
	}
	if one.Ejected() || !two.Ejected() || failed != 3 {
		t.Errorf("ejected: one %v, two %v; %d of 100 failed first", one.Ejected(), two.Ejected(), failed)
	}

	// An Endpoint that is tried so and fails stays out no longer for it.
	until := two.until
	exchange(two, s, ms, Reset)
	if two.until != until || !two.Ejected() {
		t.Error("a failure at what was ejected made it longer")
	}
}

func TestSomeAreAlwaysLeft(t *testing.T) {
	for _, tt := range []struct{ endpoints, percent, ejected int }{
		{1, 0, 0}, // the only one stays whatever it does
		{2, 0, 1},
		{3, 0, 1},
		{10, 0, 5},
		{10, 20, 2},
		{10, 100, 9}, // never the last one
		{1, 100, 0},
	} {
		set, _ := newTestSet(t, Options{Eject: EjectOptions{MaxPercent: tt.percent}})
		b := set.Backend(backend(routing.RoundRobin, upTo(tt.endpoints)...))
		for range 10 {
			for _, e := range b.endpoints {
				exchange(e, s, ms, ConnectFailed)
			}
		}
		if len(b.out) != tt.ejected {
			t.Errorf("%d of %d ejected at %d %%, want %d", len(b.out), tt.endpoints, tt.percent, tt.ejected)
		}
		if b.pick(s, nil) == nil {
			t.Errorf("%d Endpoints, none to pick", tt.endpoints)
		}
	}
}

func TestAllOutMeansAllUsed(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2, 3, 4))
	for _, n := range []int{1, 2} {
		for range 3 {
			exchange(named(t, b, n), s, ms, Reset)
		}
	}
	b = set.Backend(backend(routing.RoundRobin, 1, 2)) // the healthy ones leave
	picks := map[*Endpoint]int{}
	for range 10 {
		picks[b.pick(s, nil)]++
	}
	if len(b.out) != 2 || len(picks) != 2 {
		t.Errorf("%d out, %d picked of two ejected ones", len(b.out), len(picks))
	}
}
