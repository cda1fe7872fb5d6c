package upstream

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestReconcileKeepsStateByAddress(t *testing.T) {
	set, discarded := newTestSet(t, Options{})
	b := set.Backend(backend(routing.EWMA, 1, 2, 3))
	stays, leaves := named(t, b, 2), named(t, b, 3)
	exchange(stays, s, 7*ms, OK)
	idle, busy := dial(stays), dial(stays)
	stays.Release(idle, s)
	leavingIdle, leavingBusy := dial(leaves), dial(leaves)
	leaves.Release(leavingIdle, s)
	leaves.started(s)

	next := backend(routing.EWMA, 0, 2, 4)
	next.Endpoints[1].Zone = "b"
	if set.Backend(next) != b {
		t.Fatal("the Backend's state was replaced")
	}
	if named(t, b, 2) != stays || stays.Gone || stays.cost != float64(7*ms) || stays.Zone != "b" || stays.Acquire(s) != idle {
		t.Error("the Endpoint that stays lost its state")
	}
	if !leaves.Gone || len(discarded) != 1 || !discarded[leavingIdle] || leaves.Conns != 1 {
		t.Errorf("gone %v, %d discarded, %d Conns left of the one that left", leaves.Gone, len(discarded), leaves.Conns)
	}
	for range 30 {
		if e := b.pick(s, nil); e.Gone {
			t.Fatal("picked one that left")
		}
	}

	// Exchanges in flight end as they will, and pool nothing.
	leaves.finished(2*s, ms, OK)
	if leaves.Release(leavingBusy, 2*s) {
		t.Error("pooled on an Endpoint that left")
	}
	leaves.Remove(leavingBusy)
	stays.Remove(idle)
	stays.Remove(busy)
	set.Stats(func(_ routing.BackendKey, st Stats) {
		if st.Conns != 0 || st.Idle != 0 || st.InFlight != 0 || st.Outcomes[OK] != 2 || st.Endpoints != 3 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestReconcileTakesOrder(t *testing.T) {
	for _, tt := range []struct {
		name        string
		before, now []int
	}{
		{"same", []int{1, 2, 3}, []int{1, 2, 3}},
		{"to none", []int{1, 2, 3}, nil},
		{"from none", nil, []int{1, 2, 3}},
		{"at the ends", []int{2, 3, 4}, []int{1, 2, 3, 4, 5}},
		{"off the ends", []int{1, 2, 3, 4, 5}, []int{2, 3, 4}},
		{"all others", []int{1, 3, 5}, []int{2, 4, 6}},
		{"interleaved", []int{1, 2, 5, 6}, []int{0, 2, 3, 6, 9}},
	} {
		set, _ := newTestSet(t, Options{})
		b := set.Backend(backend(routing.RoundRobin, tt.before...))
		old := slices.Clone(b.endpoints)
		set.Backend(backend(routing.RoundRobin, tt.now...))
		if len(b.endpoints) != len(tt.now) || len(b.usable) != len(tt.now) {
			t.Errorf("%s: %d Endpoints, %d usable, want %d", tt.name, len(b.endpoints), len(b.usable), len(tt.now))
			continue
		}
		for i, n := range tt.now {
			e := b.endpoints[i]
			if e.Addr != addr(n) || e.Gone {
				t.Errorf("%s: Endpoint %d is %v, gone %v", tt.name, i, e.Addr, e.Gone)
			}
			if kept := slices.Contains(old, e); kept != slices.Contains(tt.before, n) {
				t.Errorf("%s: Endpoint %v kept: %v", tt.name, e.Addr, kept)
			}
		}
		for _, e := range old {
			if e.Gone == slices.Contains(b.endpoints, e) {
				t.Errorf("%s: %v gone %v", tt.name, e.Addr, e.Gone)
			}
		}
	}
}

func TestAnUnsortedBackendLosesOnlyState(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2, 3))
	shuffled := backend(routing.RoundRobin, 1, 2, 3)
	shuffled.Endpoints[0], shuffled.Endpoints[2] = shuffled.Endpoints[2], shuffled.Endpoints[0]
	set.Backend(shuffled)
	for _, e := range b.endpoints {
		if e.Gone {
			t.Errorf("%v is in use and Gone", e.Addr)
		}
	}
	if len(b.endpoints) != 3 {
		t.Errorf("%d Endpoints", len(b.endpoints))
	}
}

func TestConnectionsOfAnotherKindAreNotKept(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*routing.Backend)
		keeps  bool
	}{
		{"balance", func(b *routing.Backend) { b.Balance = routing.EWMA }, true},
		{"protocol", func(b *routing.Backend) { b.Protocol = routing.HTTPS }, false},
		{"name", func(b *routing.Backend) { b.ExternalName = "example.com" }, false},
		{"another Backend in the slot", func(b *routing.Backend) { b.Key.Service = "other" }, false},
	} {
		set, discarded := newTestSet(t, Options{})
		e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
		e.Release(dial(e), s)
		next := backend(routing.RoundRobin, 1)
		tt.change(next)
		kept := set.Backend(next).pick(s, nil) == e
		if kept != tt.keeps || e.Gone == tt.keeps || (len(discarded) == 0) != tt.keeps {
			t.Errorf("%s: kept %v, gone %v, %d discarded", tt.name, kept, e.Gone, len(discarded))
		}
	}
}

func TestSweep(t *testing.T) {
	set, discarded := newTestSet(t, Options{})
	same, changed, removed, unknown := backendAt(0, 0, 1), backendAt(1, 0, 1, 2), backendAt(5, 0, 1), backendAt(3, 0, 1)
	keep := set.Backend(same)
	edit := set.Backend(changed)
	drop := set.Backend(removed)
	for _, b := range []*Backend{keep, edit, drop} {
		for _, e := range b.endpoints {
			e.Release(dial(e), s)
		}
	}
	set.Sweep([]*routing.Backend{same, backendAt(1, 0, 2, 3), nil, unknown})
	if set.Backend(same) != keep || keep.conns != 1 {
		t.Error("a Backend that did not change was touched")
	}
	if len(edit.endpoints) != 2 || edit.conns != 1 {
		t.Errorf("changed Backend has %d Endpoints and %d Conns", len(edit.endpoints), edit.conns)
	}
	if !drop.endpoints[0].Gone || set.backends[5] != nil || set.backends[3] != nil || len(discarded) != 2 {
		t.Errorf("%d discarded; slots %v", len(discarded), set.backends)
	}
	set.Sweep(nil)
	if len(discarded) != 4 {
		t.Errorf("%d discarded when all left", len(discarded))
	}
	set.Stats(func(k routing.BackendKey, _ Stats) { t.Errorf("%v is still known", k) })
}

func TestALateRequestDoesNotGoBack(t *testing.T) {
	live := &routing.Snapshot{}
	set, _ := newTestSet(t, Options{Live: func() *routing.Snapshot { return live }})
	first, second, third := backend(0, 1), backend(0, 1, 2), backend(0, 2, 3)

	live.Backends = []*routing.Backend{first}
	b := set.Backend(first)
	live = &routing.Snapshot{Backends: []*routing.Backend{second}}
	if set.Backend(first) != b || b.source != first {
		t.Fatal("the known Backend is served without a look at the Snapshot")
	}
	set.Backend(second)
	live = &routing.Snapshot{Backends: []*routing.Backend{third}}
	// A request that still holds the first one takes the Set forward, never back.
	if set.Backend(first) != b || b.source != third {
		t.Fatal("an old Backend was adopted")
	}
	for range 3 {
		for _, r := range []*routing.Backend{first, second, third} {
			if set.Backend(r) != b || b.source != third || len(b.endpoints) != 2 {
				t.Fatal("the Set went back")
			}
		}
	}
}

func TestALateRequestOfARemovedBackendIsServed(t *testing.T) {
	for _, now := range [][]*routing.Backend{nil, {nil}, {backendAt(0, 0, 9)}} {
		if len(now) == 1 && now[0] != nil {
			now[0].Key.Service = "successor"
		}
		live := &routing.Snapshot{Backends: now}
		set, _ := newTestSet(t, Options{Live: func() *routing.Snapshot { return live }})
		old := backend(0, 1, 2)
		b := set.Backend(old)
		e := b.pick(s, nil)
		if e == nil || !e.Gone || e.Addr.Addr() == addr(9).Addr() {
			t.Fatalf("%v: picked %v", now, e)
		}
		c := dial(e)
		exchange(e, s, ms, OK)
		if e.Release(c, s) {
			t.Error("a removed Backend pools a Conn")
		}
		e.Remove(c)
		set.Stats(func(k routing.BackendKey, _ Stats) { t.Errorf("%v became known", k) })
	}
}
