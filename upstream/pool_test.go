package upstream

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestAcquireTakesTheNewest(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
	if e.Acquire(s) != nil {
		t.Fatal("a Conn from an empty pool")
	}
	a, b := dial(e), dial(e)
	if a.Reused() || e.Conns != 2 {
		t.Fatalf("reused %v, conns %d after two dials", a.Reused(), e.Conns)
	}
	for i, c := range []*Conn{a, b} {
		if !e.Release(c, s+int64(i)) || !c.Idle() {
			t.Fatal("Release refused")
		}
	}
	if got := e.Acquire(2 * s); got != b || !b.Reused() || b.Idle() {
		t.Fatal("the newest was not handed out first")
	}
	if got := e.Acquire(2 * s); got != a {
		t.Fatal("the older one was not handed out second")
	}
	if e.Acquire(2*s) != nil || e.Conns != 2 {
		t.Fatal("a third Conn, or a count astray")
	}
}

func TestReleaseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options Options
		prepare func(*Set, *Endpoint, *Conn)
		want    bool
	}{
		{"room", Options{}, func(*Set, *Endpoint, *Conn) {}, true},
		{"pool full", Options{MaxIdlePerEndpoint: 1}, func(_ *Set, e *Endpoint, _ *Conn) { e.Release(dial(e), s) }, false},
		{"no pool", Options{MaxIdlePerEndpoint: -1}, func(*Set, *Endpoint, *Conn) {}, false},
		{"used up", Options{MaxRequestsPerConn: 3}, func(_ *Set, _ *Endpoint, c *Conn) { c.Requests = 3 }, false},
		{"nearly used up", Options{MaxRequestsPerConn: 3}, func(_ *Set, _ *Endpoint, c *Conn) { c.Requests = 2 }, true},
		{"gone", Options{}, func(set *Set, _ *Endpoint, _ *Conn) { set.Backend(backend(routing.RoundRobin, 2)) }, false},
	} {
		set, _ := newTestSet(t, tt.options)
		e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
		c := dial(e)
		tt.prepare(set, e, c)
		if got := e.Release(c, s); got != tt.want {
			t.Errorf("%s: Release = %v, want %v", tt.name, got, tt.want)
		}
		before := e.Conns
		e.Remove(c)
		e.Remove(c)
		if e.Conns != before-1 || c.Idle() {
			t.Errorf("%s: %d Conns after Remove, want %d", tt.name, e.Conns, before-1)
		}
	}
}

func TestReleaseTwicePanics(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
	c := dial(e)
	e.Release(c, s)
	defer func() {
		if recover() == nil {
			t.Error("a second Release went through")
		}
	}()
	e.Release(c, s)
}

func TestFullBoundsDials(t *testing.T) {
	set, discarded := newTestSet(t, Options{MaxConnsPerEndpoint: 2})
	e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
	a, b := dial(e), dial(e)
	if !e.Full() {
		t.Fatal("not Full at its limit")
	}
	e.Remove(a)
	if e.Full() {
		t.Fatal("Full after Remove")
	}
	dial(e)
	e.Release(b, s)
	// Idle Conns that are too old must not keep the Endpoint Full.
	if e.Acquire(s+60*s) != nil || e.Full() || !discarded[b] {
		t.Fatal("an expired idle Conn blocks the dial")
	}
}

func TestIdleTimeout(t *testing.T) {
	set, discarded := newTestSet(t, Options{IdleTimeout: 8 * s})
	b := set.Backend(backend(routing.RoundRobin, 1, 2))
	e, f := named(t, b, 1), named(t, b, 2)
	if next := set.Expire(s, 100); next != 0 {
		t.Fatalf("Expire of nothing is due at %d", next)
	}
	old, young, other := dial(e), dial(e), dial(f)
	e.Release(old, 10*s)
	e.Release(young, 13*s)
	f.Release(other, 13*s)

	if next := set.Expire(11*s, 100); next != 12*s || len(discarded) != 0 {
		t.Fatalf("next check at %d, want a quarter of the timeout after the first Release", next/s)
	}
	now := int64(11 * s)
	closedAt := map[*Conn]int64{}
	for next := set.Expire(now, 100); next != 0; next = set.Expire(now, 100) {
		if next <= now {
			t.Fatalf("unbounded Expire at %d s is due again at %d s", now/s, next/s)
		}
		now = next
		for c := range discarded {
			if closedAt[c] == 0 {
				closedAt[c] = now
			}
		}
	}
	if len(discarded) != 3 || e.Conns != 0 || f.Conns != 0 {
		t.Fatalf("%d discarded, %d and %d Conns left", len(discarded), e.Conns, f.Conns)
	}
	for _, c := range []*Conn{old, young} {
		if age := closedAt[c] - c.IdleSince; closedAt[c] != 0 && age > 8*s+4*s {
			t.Errorf("closed at the age of %d s", age/s)
		}
	}
}

func TestAcquireNeverHandsOutLate(t *testing.T) {
	set, discarded := newTestSet(t, Options{IdleTimeout: 8 * s})
	e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
	c := dial(e)
	e.Release(c, s)
	if e.Acquire(9*s) != nil || !discarded[c] {
		t.Error("handed out at its limit")
	}
	d := dial(e)
	e.Release(d, s)
	if e.Acquire(9*s-1) != d {
		t.Error("not handed out just before its limit")
	}
}

func TestExpireIsBounded(t *testing.T) {
	set, discarded := newTestSet(t, Options{IdleTimeout: 4 * s})
	b := set.Backend(backend(routing.RoundRobin, upTo(10)...))
	for _, e := range b.endpoints {
		for range 10 {
			e.Release(dial(e), s)
		}
		for e.idle.n < 10 {
			e.Release(dial(e), s)
		}
	}
	calls := 0
	for next := int64(1); next != 0; calls++ {
		before := len(discarded)
		next = set.Expire(100*s, 7)
		if got := len(discarded) - before; got > 7 {
			t.Fatalf("%d discarded in one call of at most 7", got)
		}
		if next > 100*s {
			t.Fatal("done with idle Conns left")
		}
	}
	// 100 Conns and 10 visits to Endpoints found empty.
	if len(discarded) != 100 || calls != 16 {
		t.Errorf("%d discarded in %d calls", len(discarded), calls)
	}
}

func TestPeerClosedTeachesTheLimit(t *testing.T) {
	for _, tt := range []struct {
		name string
		ages []int64
		want int64
	}{
		{"once says nothing", []int64{5 * s}, 60 * s},
		{"twice alike", []int64{5 * s, 5*s + 20*ms}, 5*s + 20*ms - (5*s+20*ms)/8},
		{"not alike", []int64{5 * s, 9 * s, 3 * s}, 60 * s},
		{"a restart closes young ones", []int64{10 * ms, 10 * ms, 10 * ms}, 60 * s},
		{"never longer", []int64{5 * s, 5 * s, 50 * s, 50 * s}, 5*s - 5*s/8},
	} {
		set, _ := newTestSet(t, Options{})
		e := set.Backend(backend(routing.RoundRobin, 1)).pick(s, nil)
		now := s
		for _, age := range tt.ages {
			c := dial(e)
			e.Release(c, now)
			now += age
			e.PeerClosed(c, now)
		}
		if e.idle.limit != tt.want || e.Conns != 0 {
			t.Errorf("%s: limit %d ms, want %d ms; %d Conns", tt.name, e.idle.limit/ms, tt.want/ms, e.Conns)
		}
	}
}
