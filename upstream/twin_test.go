package upstream

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// addr6 is the IPv6 address of the Pod of addr(i).
func addr6(i int) netip.AddrPort {
	a := netip.MustParseAddr("fd00::").As16()
	a[14], a[15] = byte(i>>8), byte(i)
	return netip.AddrPortFrom(netip.AddrFrom16(a), 80)
}

// dual returns a Backend whose Pods have both addresses.
func dual(policy routing.Balance, pods ...int) *routing.Backend {
	b := backend(policy, pods...)
	n := len(b.Endpoints)
	for _, e := range b.Endpoints[:n] {
		a := e.Addr.Addr().As4()
		b.Endpoints = append(b.Endpoints, routing.Endpoint{Addr: addr6(int(a[2])<<8 | int(a[3]))})
	}
	b.Twins = make([]int32, 2*n)
	for i := range n {
		b.Twins[i], b.Twins[n+i] = int32(n+i), int32(i)
	}
	return b
}

func (e *Endpoint) pod() int {
	if a := e.Addr.Addr(); a.Is6() {
		b := a.As16()
		return int(b[14])<<8 | int(b[15])
	}
	b := e.Addr.Addr().As4()
	return int(b[2])<<8 | int(b[3])
}

// request is one request as the data plane makes it: two attempts at most, each of which may go on at the
// Pod's other address. works reports which addresses can be connected to; touched counts by address.
func request(b *Backend, now int64, works func(*Endpoint) bool, touched map[netip.AddrPort]int) (served *Endpoint, attempts int) {
	var a Attempt
	for e := a.Begin(b, now); e != nil; e, _ = a.Failed(now, ConnectFailed, Carried{}, 2) {
		touched[e.Addr]++
		if works(e) {
			a.Finish(now, ms, OK)
			return e, int(a.made)
		}
	}
	return nil, int(a.made)
}

// TestTwinsOfOneFamily: where Pods answer in one family only, no request fails and none needs a second
// attempt; one failure to connect decides for all Pods, and for those that come later.
func TestTwinsOfOneFamily(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for _, six := range []bool{false, true} {
			set, _ := newTestSet(t, Options{})
			works := func(e *Endpoint) bool { return e.Addr.Addr().Is6() == six }
			touched := map[netip.AddrPort]int{}
			failures := func() (n int) {
				for a, m := range touched {
					if a.Addr().Is6() != six {
						n += m
					}
				}
				return n
			}
			b := set.Backend(dual(policy, 1, 2, 3, 4))
			for i := range 400 {
				if e, attempts := request(b, s+int64(i)*ms, works, touched); e == nil || attempts != 1 {
					t.Fatalf("%v, IPv6 %v: request %d served by %v at attempt %d", policy, six, i, e, attempts)
				}
			}
			if n := failures(); n > 1 {
				t.Errorf("%v, IPv6 %v: %d failures to connect, want one at most", policy, six, n)
			}
			b = set.Backend(dual(policy, 1, 2, 3, 4, 5, 6))
			for i := range 400 {
				if e, attempts := request(b, 10*s+int64(i)*ms, works, touched); e == nil || attempts != 1 {
					t.Fatalf("%v, IPv6 %v: request %d served by %v at attempt %d", policy, six, i, e, attempts)
				}
			}
			if n := failures(); n > 1 {
				t.Errorf("%v, IPv6 %v: %d failures to connect after two Pods came, want none", policy, six, n)
			}
		}
	}
}

// TestFamilyThatBreaks: a family that worked and works no more costs each Pod one failure to connect, and
// no request.
func TestFamilyThatBreaks(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(dual(routing.RoundRobin, 1, 2, 3, 4))
	touched := map[netip.AddrPort]int{}
	for i := range 40 {
		request(b, s+int64(i)*ms, func(*Endpoint) bool { return true }, touched)
	}
	for i := range 40 {
		e, attempts := request(b, 2*s+int64(i)*ms, func(e *Endpoint) bool { return e.Addr.Addr().Is6() }, touched)
		if e == nil || attempts != 1 {
			t.Fatalf("request %d served by %v at attempt %d", i, e, attempts)
		}
	}
	for i := range 4 {
		if n := touched[addr(i+1)]; n != 11 {
			t.Errorf("pod %d was asked %d times by IPv4, want 10 and one failure", i+1, n)
		}
	}
}

// TestTwinsCountOnce: each Pod gets the same share, whether it has one address or two.
func TestTwinsCountOnce(t *testing.T) {
	r := dual(routing.RoundRobin, 1, 2)
	lone := backend(routing.RoundRobin, 3).Endpoints[0]
	r.Endpoints = append(r.Endpoints[:2:2], append([]routing.Endpoint{lone}, r.Endpoints[2:]...)...)
	r.Twins = []int32{3, 4, -1, 0, 1}
	set, _ := newTestSet(t, Options{})
	b := set.Backend(r)
	asked := map[int]int{}
	for i := range 300 {
		e := b.pick(s+int64(i)*ms, nil)
		asked[e.pod()]++
	}
	for pod := 1; pod <= 3; pod++ {
		if asked[pod] != 100 {
			t.Errorf("pod %d got %d of 300 requests", pod, asked[pod])
		}
	}
}

// TestRetryLeavesThePod: after any failure the other attempt goes to another Pod, whichever address failed,
// and to the same Pod only where there is no other.
func TestRetryLeavesThePod(t *testing.T) {
	for _, outcome := range []Outcome{ConnectFailed, ConnectTimeout, Reset, Malformed} {
		for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
			set, _ := newTestSet(t, Options{Eject: EjectOptions{ConsecutiveFailures: -1}})
			b := set.Backend(dual(policy, 1, 2))
			for i := range 100 {
				now := s + int64(i)*ms
				e := b.pick(now, nil)
				exchange(e, now, ms, outcome)
				if other := b.pick(now, e); other.pod() == e.pod() {
					t.Fatalf("%v, %v: after pod %d failed pod %d is next", policy, outcome, e.pod(), other.pod())
				}
			}
			b = set.Backend(dual(policy, 1))
			e := b.pick(s, nil)
			exchange(e, s, ms, outcome)
			other := b.pick(s, e)
			if connect := outcome == ConnectFailed || outcome == ConnectTimeout; other == nil || connect != (other != e) {
				t.Errorf("%v, %v: the only Pod failed at %v, next is %v", policy, outcome, e.Addr, other)
			}
		}
	}
}

// TestVerdictOfTwins: both addresses of a Pod that is gone are one verdict: it is ejected once, for its
// failures at both, probed at both in turn, and brought back by either.
func TestVerdictOfTwins(t *testing.T) {
	set, _ := newTestSet(t, Options{Eject: EjectOptions{ConsecutiveFailures: 4, Base: s, Max: s}})
	b := set.Backend(dual(routing.RoundRobin, 1, 2, 3))
	touched := map[netip.AddrPort]int{}
	dead := func(e *Endpoint) bool { return e.pod() != 1 }
	for i := range 60 {
		if e, _ := request(b, s+int64(i)*ms, dead, touched); e == nil {
			t.Fatalf("request %d was not served", i)
		}
	}
	if len(b.out) != 1 || b.out[0].pod() != 1 || touched[addr(1)] != 2 || touched[addr6(1)] != 2 {
		t.Fatalf("%d ejected; the dead Pod was tried %d times by IPv4 and %d by IPv6", len(b.out), touched[addr(1)], touched[addr6(1)])
	}
	clear(touched)
	for i := range 40 {
		if e, _ := request(b, 3*s+int64(i)*s, dead, touched); e == nil {
			t.Fatal("a request was not served while the Pod is probed")
		}
	}
	if touched[addr(1)] < 10 || touched[addr6(1)] < 10 {
		t.Errorf("probed %d times by IPv4 and %d by IPv6", touched[addr(1)], touched[addr6(1)])
	}
	back := func(e *Endpoint) bool { return e.Addr != addr(1) }
	for i := range 9 {
		request(b, 60*s+int64(i)*s, back, touched)
	}
	if len(b.out) != 0 {
		t.Errorf("the Pod answers by IPv6 and is still ejected")
	}
}

// TestTwinsComeAndGo: state follows addresses while Pods gain and lose families.
func TestTwinsComeAndGo(t *testing.T) {
	set, discarded := newTestSet(t, Options{})
	b := set.Backend(dual(routing.RoundRobin, 1, 2))
	touched := map[netip.AddrPort]int{}
	six := func(e *Endpoint) bool { return e.Addr.Addr().Is6() }
	for i := range 10 {
		request(b, s+int64(i), six, touched)
	}
	face := b.pick(2*s, nil)
	if !face.Addr.Addr().Is6() {
		t.Fatalf("the face is %v", face.Addr)
	}
	c := dial(face)
	face.Release(c, 2*s)
	b = set.Backend(backend(routing.RoundRobin, 1, 2)) // IPv6 goes
	if b.faces != 2 || len(b.usable) != 2 || !discarded[c] {
		t.Errorf("%d Pods, %d usable, Conn discarded %v", b.faces, len(b.usable), discarded[c])
	}
	for _, e := range b.endpoints {
		if e.aside || e.twin != nil || e.fallback() != nil {
			t.Errorf("%v stands aside, or has a twin", e.Addr)
		}
	}
	if face.fallback() != nil {
		t.Error("an Endpoint that is gone has a fallback")
	}
	b = set.Backend(dual(routing.RoundRobin, 1, 2)) // and comes again
	if b.faces != 2 || len(b.usable) != 2 {
		t.Errorf("%d Pods, %d usable", b.faces, len(b.usable))
	}
	if e := b.pick(3*s, nil); !e.Addr.Addr().Is6() {
		t.Errorf("%v is picked though IPv4 is known not to work", e.Addr)
	}
	// The verdict of before does not hold back a change of mind.
	four := func(e *Endpoint) bool { return !e.Addr.Addr().Is6() }
	for i := range 20 {
		if e, attempts := request(b, 4*s+int64(i), four, touched); e == nil || attempts != 1 {
			t.Fatalf("request %d served by %v at attempt %d", i, e, attempts)
		}
	}
}
