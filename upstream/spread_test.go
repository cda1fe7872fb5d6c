package upstream

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func keyOf(i int) Key { return NewKey(fmt.Append(nil, "session-", i), 1) }

// holders returns the Endpoint of each of n keys.
func holders(b *Backend, n int) []netip.AddrPort {
	list := make([]netip.AddrPort, n)
	for i := range list {
		var a Attempt
		list[i] = a.Spread(b, keyOf(i), s).Addr
		a.Finish(s, ms, OK)
	}
	return list
}

// TestKeysMoveAsLittleAsPossible: whatever Endpoints come and go, a key moves only if its own has gone, or to one that has come;
// and every Endpoint has its part of the keys.
func TestKeysMoveAsLittleAsPossible(t *testing.T) {
	const keys = 2000
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		set, _ := newTestSet(t, Options{Seed: uint64(round)})
		present := upTo(1 + random.IntN(40))
		before := holders(set.Backend(backend(routing.RoundRobin, present...)), keys)
		for range 10 {
			old := present
			present = slices.DeleteFunc(slices.Clone(present), func(int) bool { return random.IntN(6) == 0 })
			for range random.IntN(4) {
				if n := random.IntN(60); !slices.Contains(present, n) {
					present = append(present, n)
				}
			}
			if len(present) == 0 {
				present = []int{7}
			}
			stayed := map[netip.AddrPort]bool{}
			for _, n := range present {
				stayed[addr(n)] = slices.Contains(old, n)
			}
			after := holders(set.Backend(backend(routing.RoundRobin, present...)), keys)
			had := map[netip.AddrPort]int{}
			for i := range after {
				had[after[i]]++
				_, left := stayed[before[i]]
				if before[i] != after[i] && left && stayed[after[i]] {
					t.Fatalf("round %d: key %d moves from %v to %v, both of which stay", round, i, before[i], after[i])
				}
			}
			part := 1 / float64(len(present))
			for a, n := range had {
				if math.Abs(float64(n)-keys*part) > 6*math.Sqrt(keys*part*(1-part))+1 {
					t.Errorf("round %d: %v has %d of %d keys among %d Endpoints", round, a, n, keys, len(present))
				}
			}
			before = after
		}
	}
}

// TestKeysAgree: sets of other loops, with other histories, find the same Endpoint.
func TestKeysAgree(t *testing.T) {
	one, _ := newTestSet(t, Options{Seed: 1})
	two, _ := newTestSet(t, Options{Seed: 2})
	two.Backend(backend(routing.EWMA, 3, 90, 91))
	if a, b := holders(one.Backend(backend(routing.RoundRobin, upTo(9)...)), 500), holders(two.Backend(backend(routing.EWMA, upTo(9)...)), 500); !slices.Equal(a, b) {
		t.Error("two loops spread keys differently")
	}
}

// TestKeysOfAnEjected: keys of an ejected Endpoint move to others and come back, by a probe of their own; no other key moves.
func TestKeysOfAnEjected(t *testing.T) {
	const keys = 300
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, upTo(5)...))
	before := holders(b, keys)
	lost := b.endpoints[2]
	for range 3 {
		exchange(lost, s, ms, ConnectFailed)
	}
	if !lost.Ejected() {
		t.Fatal("not ejected")
	}
	for i, after := range holders(b, keys) {
		if moved := after != before[i]; moved != (before[i] == lost.Addr) {
			t.Errorf("key %d: from %v to %v", i, before[i], after)
		}
	}
	now, probes := lost.until, 0
	for i := range keys {
		var a Attempt
		e := a.Spread(b, keyOf(i), now)
		if e == lost {
			probes++
		}
		if e == lost && before[i] != lost.Addr {
			t.Errorf("key %d probes an Endpoint that does not have it", i)
		}
		a.Finish(now, ms, OK)
	}
	if probes == 0 || lost.Ejected() {
		t.Errorf("%d probes, ejected: %v", probes, lost.Ejected())
	}
	if after := holders(b, keys); !slices.Equal(before, after) {
		t.Error("keys did not come back")
	}
}

// TestReplayOfAKey: a replay goes to another Endpoint, the same for all requests with the key.
func TestReplayOfAKey(t *testing.T) {
	set, _ := newTestSet(t, Options{Eject: EjectOptions{ConsecutiveFailures: -1}})
	for _, n := range []int{1, 2, 7} {
		b := set.Backend(backendAt(n, routing.RoundRobin, upTo(n)...))
		for i := range 50 {
			var second *Endpoint
			for round := range 3 {
				var a Attempt
				first := a.Spread(b, keyOf(i), s)
				e, again := a.Failed(s, ConnectFailed, Carried{}, 2)
				if !again || n > 1 && e == first || round > 0 && e != second {
					t.Fatalf("%d Endpoints, key %d: %v, then %v", n, i, first.Addr, e)
				}
				second = e
				a.Finish(s, ms, OK)
			}
		}
	}
	var a Attempt
	if e := a.Spread(set.Backend(backendAt(8, routing.RoundRobin)), keyOf(1), s); e != nil {
		t.Errorf("a Backend without Endpoints gives %v", e.Addr)
	}
}

// TestAmong: the requests of a key are spread over so many Endpoints, evenly, and a change of the Endpoints changes one of them.
func TestAmong(t *testing.T) {
	set, _ := newTestSet(t, Options{Seed: 4})
	of := func(b *Backend, text string, among int) map[netip.AddrPort]int {
		had := map[netip.AddrPort]int{}
		for range 3000 {
			var a Attempt
			had[a.Spread(b, NewKey([]byte(text), among), s).Addr]++
			a.Finish(s, ms, OK)
		}
		return had
	}
	for _, row := range []struct{ endpoints, among, want int }{{6, 3, 3}, {2, 3, 2}, {1, 3, 1}, {100, 64, 64}, {100, 1000, 64}, {5, 1, 1}, {5, 0, 1}, {5, -1, 1}} {
		had := of(set.Backend(backend(routing.RoundRobin, upTo(row.endpoints)...)), "k", row.among)
		if len(had) != row.want {
			t.Errorf("%+v: %d Endpoints", row, len(had))
		}
		part := 1 / float64(row.want)
		for a, n := range had {
			if math.Abs(float64(n)-3000*part) > 6*math.Sqrt(3000*part*(1-part))+1 {
				t.Errorf("%+v: %v has %d of 3000", row, a, n)
			}
		}
	}
	for i := range 20 {
		before := of(set.Backend(backend(routing.RoundRobin, upTo(9)...)), fmt.Sprint(i), 3)
		after := of(set.Backend(backend(routing.RoundRobin, upTo(10)...)), fmt.Sprint(i), 3)
		changed := 0
		for a := range after {
			if before[a] == 0 {
				changed++
			}
		}
		if changed > 1 {
			t.Errorf("key %d: %d of 3 Endpoints are others since one has come", i, changed)
		}
	}
}

// TestKeyOfAPod: a Pod of two addresses keeps its keys when the other one becomes its face.
func TestKeyOfAPod(t *testing.T) {
	r := backend(routing.RoundRobin, 1, 2, 3)
	six := netip.MustParseAddrPort("[fd00::2]:80")
	r.Endpoints = append(r.Endpoints, routing.Endpoint{Addr: six})
	r.Twins = []int32{-1, 3, -1, 1}
	set, _ := newTestSet(t, Options{})
	b := set.Backend(r)
	before := holders(b, 200)
	b.endpoints[1].turn()
	b.partition()
	for i, after := range holders(b, 200) {
		if want := before[i]; want == addr(2) && after != six || want != addr(2) && after != want {
			t.Errorf("key %d: from %v to %v", i, want, after)
		}
	}
}

// BenchmarkSpread is the choice by a key, and its end.
func BenchmarkSpread(b *testing.B) {
	for _, among := range []int{1, 3, 64} {
		for _, n := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("among=%d/endpoints=%d", among, n), func(b *testing.B) {
				set := NewSet(Options{})
				state := set.Backend(backend(routing.RoundRobin, upTo(n)...))
				text := []byte("session-0000")
				now := s
				b.ReportAllocs()
				for b.Loop() {
					now += 100
					text[8]++
					var a Attempt
					a.Spread(state, NewKey(text, among), now)
					a.Finish(now, ms, OK)
				}
			})
		}
	}
}
