package upstream

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestGate(t *testing.T) {
	var gates Gates
	key := routing.BackendKey{Service: "a"}
	load := routing.Load{Requests: 2, Waiting: 1, Wait: s}
	g := gates.acquire(key, load)
	if gates.acquire(key, load) != g {
		t.Fatal("two Gates for one Backend")
	}
	woken := 0
	w := &Waker{Wake: func() { woken++ }}
	first, second, third := g.Enter(), g.Enter(), g.Enter()
	if !first || !second || third || !g.Queue(w) || g.Queue(w) || g.Take() {
		t.Error("not two in flight, and one that waits")
	}
	if !g.Leave() || g.Enter() {
		t.Error("a newcomer has overtaken the one that waits")
	}
	if g.WakeOther(); woken != 1 || !g.Take() {
		t.Error("the one that waits was not woken, or has no room")
	}
	g.Unqueue(w, true)
	if g.WakeOther(); woken != 1 {
		t.Error("woken although none waits")
	}
	one, other := g.Leave(), g.Leave()
	if one || other || !g.Enter() || g.Leave() {
		t.Error("none waits")
	}
	if used, waiting := gates.Counts(); used != 0 || waiting != 0 {
		t.Errorf("%d in flight, %d waiting", used, waiting)
	}
	gates.release(key, g)
	gates.release(key, g)
	if len(gates.byKey) != 0 {
		t.Error("a Gate without a user is kept")
	}
}

// TestGateFollowsBackends: loops share one, for as long as any of them knows the Backend.
func TestGateFollowsBackends(t *testing.T) {
	var gates Gates
	r := backend(routing.RoundRobin, 1, 2)
	r.Resilience = &routing.Resilience{Load: routing.Load{Requests: 1}}
	one, two := NewSet(Options{Gates: &gates}), NewSet(Options{Gates: &gates})
	b := one.Backend(r)
	if g := b.Gate(); g == nil || two.Backend(r).Gate() != g || !b.Guarded() {
		t.Fatal("not one Gate")
	}
	next := *r
	next.Endpoints = next.Endpoints[:1]
	g := b.Gate()
	if one.Backend(&next).Gate() != g {
		t.Error("a new Gate for other Endpoints: requests in flight are forgotten")
	}
	two.Sweep(nil)
	if one.Backend(r).Gate() != g {
		t.Error("a new Gate of its last user")
	}
	one.Sweep(nil)
	if len(gates.byKey) != 0 {
		t.Error("a Gate is kept")
	}
	if other := NewSet(Options{Gates: &gates}).Backend(backend(routing.RoundRobin, 1)); other.Gate() != nil || other.Guarded() {
		t.Error("a Gate without a bound")
	}
}

// TestGateRace: as many at a time as may be, and nobody waits for ever, whoever wakes whom.
func TestGateRace(t *testing.T) {
	var gates Gates
	g := gates.acquire(routing.BackendKey{}, routing.Load{Requests: 3, Waiting: 100})
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			wake := make(chan struct{}, 1)
			w := &Waker{Wake: func() {
				select {
				case wake <- struct{}{}:
				default:
				}
			}}
			for range 2000 {
				if !g.Enter() {
					if !g.Queue(w) {
						t.Error("the queue is full")
						return
					}
					for !g.Take() {
						<-wake
					}
					g.Unqueue(w, true)
				}
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				inside.Add(-1)
				if g.Leave() {
					g.WakeOther()
				}
				// What is left in wake may be another's: as a loop that finds nobody waiting does, pass it on.
				select {
				case <-wake:
					if _, waiting := g.Counts(); waiting > 0 {
						g.WakeOther()
					}
				default:
				}
			}
			// A call that comes too late for this one.
			select {
			case <-wake:
				g.WakeOther()
			default:
			}
		})
	}
	all.Wait()
	if used, waiting := g.Counts(); used != 0 || waiting != 0 || most.Load() > 3 {
		t.Errorf("%d in flight, %d waiting, %d at a time", used, waiting, most.Load())
	}
}
