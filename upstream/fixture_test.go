package upstream

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

const (
	ms = int64(time.Millisecond)
	s  = int64(time.Second)
)

// addr returns the address of Endpoint i: 10.x.y.z:80 in ascending order of i.
func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80)
}

// backend returns a Backend at index 0 with the Endpoints of the given numbers.
func backend(policy routing.Balance, numbers ...int) *routing.Backend {
	return backendAt(0, policy, numbers...)
}

// backendAt returns the Backend "default/svcINDEX:80".
func backendAt(index int, policy routing.Balance, numbers ...int) *routing.Backend {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	b := &routing.Backend{
		Key:   routing.BackendKey{Namespace: "default", Service: fmt.Sprintf("svc%d", index), Port: "80"},
		Index: int32(index), Balance: policy,
	}
	for _, n := range numbers {
		b.Endpoints = append(b.Endpoints, routing.Endpoint{Addr: addr(n)})
	}
	return b
}

// upTo returns 0..n-1.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// newTestSet returns a Set that records its discards; a Conn discarded twice is an error.
func newTestSet(t testing.TB, o Options) (*Set, map[*Conn]bool) {
	set := NewSet(o)
	discarded := map[*Conn]bool{}
	set.Discard = func(c *Conn) {
		if discarded[c] {
			t.Errorf("Conn of %v discarded twice", c.Endpoint.Addr)
		}
		if c.Idle() {
			t.Errorf("Conn of %v discarded while idle", c.Endpoint.Addr)
		}
		discarded[c] = true
		c.Endpoint.Remove(c) // as a close path does; must do no harm
	}
	return set, discarded
}

// dial adds a Conn to e.
func dial(e *Endpoint) *Conn {
	c := &Conn{}
	e.Add(c)
	return c
}

// exchange is one exchange with e that takes latency and ends at now.
func exchange(e *Endpoint, now, latency int64, o Outcome) {
	e.started(now - latency)
	e.finished(now, latency, o)
}

// named returns b's Endpoint with the number.
func named(t testing.TB, b *Backend, number int) *Endpoint {
	t.Helper()
	for _, e := range b.endpoints {
		if e.Addr == addr(number) {
			return e
		}
	}
	t.Fatalf("no Endpoint %d in %v", number, b.source.Key)
	return nil
}
