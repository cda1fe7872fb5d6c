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
