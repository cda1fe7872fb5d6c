//go:build !race

package upstream

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestRequestsDoNotAllocate(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		set := NewSet(Options{})
		r := backend(policy, upTo(20)...)
		for _, e := range set.Backend(r).endpoints {
			e.Release(dial(e), s)
		}
		spare := &Conn{}
		now := s
		if n := testing.AllocsPerRun(1000, func() {
			now += ms
			b := set.Backend(r)
			var a Attempt
			e := a.Begin(b, now)
			other, _ := a.Failed(now, Canceled, Carried{}, 2)
			a.Full(now)
			a.Withdraw(now)
			c := e.Acquire(now)
			other.Add(spare)
			a = Attempt{}
			a.Prefer(b, e.Addr, now)
			a.Finish(now, ms, OK)
			for _, among := range []int{1, 3} {
				a = Attempt{}
				a.Spread(b, NewKey([]byte("session"), among), now)
				a.Finish(now, ms, OK)
			}
			e.Release(c, now)
			other.Remove(spare)
			set.Expire(now, 4)
		}); n != 0 {
			t.Errorf("%v: %v allocations per request", policy, n)
		}
	}
}

func TestVerdictsDoNotAllocate(t *testing.T) {
	set := NewSet(Options{})
	b := set.Backend(backend(routing.RoundRobin, upTo(20)...))
	e := b.endpoints[7]
	now := s
	fail := func() {
		for range 3 {
			exchange(e, now, ms, ConnectFailed)
		}
		now = e.until
		if b.pick(now, nil) != e {
			t.Fatal("no probe")
		}
		exchange(e, now, ms, OK)
	}
	fail()
	if n := testing.AllocsPerRun(100, fail); n != 0 {
		t.Errorf("%v allocations per ejection and return", n)
	}
}

// TestSparingDoesNotAllocate: what Backends ask for beside the rest costs no memory for each request either.
func TestSparingDoesNotAllocate(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		var gates Gates
		set := NewSet(Options{Gates: &gates})
		r, next := backend(policy, upTo(9)...), backend(policy, upTo(10)...)
		r.Resilience = &routing.Resilience{
			Eject: routing.Ejection{ServerErrors: true}, Breaker: routing.Breaker{Percent: 90, Requests: 10, Base: s, Max: s},
			Load: routing.Load{Requests: 2, Waiting: 2, Wait: s}, SlowStart: 1000 * s,
		}
		next.Resilience = r.Resilience
		set.Backend(r)
		b := set.Backend(next)
		w := &Waker{Wake: func() {}}
		now := s
		if n := testing.AllocsPerRun(1000, func() {
			now += ms
			g := b.Gate()
			if !g.Enter() || b.Refuses(now) {
				t.Fatal("refused")
			}
			var a Attempt
			a.Begin(b, now)
			if a.MayReplay(now, Carried{Sent: SentBuffered, Idempotent: true}, 3) {
				a.Replay(now, ms, b.Verdict(503))
			}
			a.Failed(now, Canceled, Carried{}, 3)
			a.Finish(now, ms, OK)
			g.Queue(w)
			g.Take()
			g.Unqueue(w, true)
			g.Leave()
			g.Leave()
		}); n != 0 {
			t.Errorf("%v: %v allocations per request", policy, n)
		}
	}
}
