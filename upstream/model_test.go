package upstream

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// model is the naive twin of a Set with one Backend: maps and slices, searched from end to end.
type model struct {
	endpoints map[netip.AddrPort]*Endpoint
	idle      map[*Endpoint][]*Conn // oldest first
	busy      map[*Conn]bool
	conns     map[*Endpoint]int
	inFlight  map[*Endpoint]int
	closed    map[*Conn]bool
}

// TestModel runs random operations on a Set and on the model, and compares them after each.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		runModel(t, seed, 3000)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	const timeout, maxIdle, maxConns = 10 * s, 4, 6
	r := rand.New(rand.NewPCG(seed, 1))
	policy := routing.Balance(seed % 3)
	set, discarded := newTestSet(t, Options{
		IdleTimeout: timeout, MaxIdlePerEndpoint: maxIdle, MaxConnsPerEndpoint: maxConns, Seed: seed,
	})
	m := model{map[netip.AddrPort]*Endpoint{}, map[*Endpoint][]*Conn{}, map[*Conn]bool{}, map[*Endpoint]int{}, map[*Endpoint]int{}, map[*Conn]bool{}}
	now := s
	current := backend(policy, 1, 2, 3)
	var last *Endpoint

	// settle moves what the Set has discarded from the model's pools to its closed ones.
	settle := func() {
		for c := range discarded {
			if m.closed[c] {
				continue
			}
			i := slices.Index(m.idle[c.Endpoint], c)
			if i < 0 {
				t.Errorf("discarded a Conn that was not idle")
				return
			}
			if !c.Endpoint.Gone && now-c.IdleSince < timeout {
				t.Errorf("discarded an idle Conn of age %d ms", (now-c.IdleSince)/ms)
			}
			m.idle[c.Endpoint] = slices.Delete(m.idle[c.Endpoint], i, i+1)
			m.conns[c.Endpoint]--
			m.closed[c] = true
		}
	}
	anyBusy := func() *Conn {
		n := r.IntN(len(m.busy) + 1)
		for _, e := range sortedEndpoints(m.conns) {
			for c := range m.busy { // few; the order within one Endpoint does not matter
				if c.Endpoint == e {
					if n--; n < 0 {
						return c
					}
				}
			}
		}
		return nil
	}

	for range steps {
		now += int64(r.IntN(int(s)))
		b := set.Backend(current)
		for _, e := range b.endpoints {
			m.endpoints[e.Addr] = e
		}
		switch op := r.IntN(20); {
		case op < 8: // begin an exchange
			e := b.pick(now, last)
			if (e == nil) != (len(current.Endpoints) == 0) {
				t.Errorf("picked %v of %d", e, len(current.Endpoints))
				return
			}
			if e == nil {
				break
			}
			if e.Gone || e == last && len(current.Endpoints) > 1 {
				t.Errorf("picked %v, gone %v, avoid %v", e.Addr, e.Gone, last)
			}
			pool := m.idle[e]
			c := e.Acquire(now)
			settle()
			switch {
			case c != nil:
				if len(pool) == 0 || pool[len(pool)-1] != c || now-c.IdleSince >= timeout || discarded[c] {
					t.Errorf("acquired a Conn that is not the newest, or too old")
					return
				}
				m.idle[e] = pool[:len(pool)-1]
			case e.Full() != (m.conns[e] >= maxConns):
				t.Errorf("full %v at %d Conns", e.Full(), m.conns[e])
			case e.Full():
				continue
			default:
				c = dial(e)
				m.conns[e]++
			}
			m.busy[c] = true
			m.inFlight[e]++
			e.started(now)
		case op < 14: // end one, in any way
			c := anyBusy()
			if c == nil {
				break
			}
			e := c.Endpoint
			outcome := OK
			if r.IntN(3) == 0 {
				outcome = Outcome(r.IntN(Outcomes))
			}
			e.finished(now, int64(r.IntN(int(s))), outcome)
			last = nil
			if outcome.Failed() {
				last = e
			}
			m.inFlight[e]--
			delete(m.busy, c)
			released := outcome == OK && e.Release(c, now)
			if want := outcome == OK && !e.Gone && len(m.idle[e]) < maxIdle; released != want {
				t.Errorf("released %v, want %v", released, want)
			}
			if released {
				m.idle[e] = append(m.idle[e], c)
			} else {
				e.Remove(c)
				m.conns[e]--
				m.closed[c] = true
			}
		case op < 16: // an idle Conn dies
			for _, e := range sortedEndpoints(m.conns) {
				if n := len(m.idle[e]); n > 0 && r.IntN(3) == 0 {
					i := r.IntN(n)
					e.Remove(m.idle[e][i])
					m.closed[m.idle[e][i]] = true
					m.idle[e] = slices.Delete(m.idle[e], i, i+1)
					m.conns[e]--
					break
				}
			}
		case op < 17:
			set.Expire(now, r.IntN(5))
		default: // a new Snapshot
			var numbers []int
			for n := range 7 {
				if r.IntN(2) == 0 {
					numbers = append(numbers, n)
				}
			}
			current = backend(policy, numbers...)
			if op == 19 {
				set.Sweep([]*routing.Backend{current})
			} else {
				set.Backend(current)
			}
			for _, e := range m.endpoints {
				if in := slices.ContainsFunc(current.Endpoints, func(n routing.Endpoint) bool { return n.Addr == e.Addr }); e.Gone == in {
					t.Errorf("%v: gone %v", e.Addr, e.Gone)
				}
				if e.Gone {
					delete(m.endpoints, e.Addr)
				}
			}
		}
		settle()
		if m.check(t, set); t.Failed() {
			return
		}
	}
}

// sortedEndpoints returns the keys in the order of their addresses, so that a seed replays.
func sortedEndpoints(m map[*Endpoint]int) []*Endpoint {
	var all []*Endpoint
	for e := range m {
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *Endpoint) int { return a.Addr.Compare(b.Addr) })
	return all
}

// check compares counts and lists, and validates the links.
func (m *model) check(t *testing.T, set *Set) {
	t.Helper()
	var conns, idle, inFlight int32
	for e, n := range m.conns {
		if e.Gone && n == 0 && e.Conns == 0 && e.InFlight == 0 {
			delete(m.conns, e) // over and done with
			continue
		}
		if int(e.Conns) != n || int(e.InFlight) != m.inFlight[e] || n < 0 {
			t.Errorf("%v: %d Conns, %d in flight, want %d and %d", e.Addr, e.Conns, e.InFlight, n, m.inFlight[e])
		}
		conns, inFlight, idle = conns+e.Conns, inFlight+e.InFlight, idle+e.idle.n
		validate(t, e)
		var got []*Conn
		for c := e.idle.oldest; c != nil; c = c.prev {
			got = append(got, c)
		}
		if !slices.Equal(got, m.idle[e]) {
			t.Errorf("%v: idle list of %d differs from the model's of %d", e.Addr, len(got), len(m.idle[e]))
		}
	}
	set.Stats(func(_ routing.BackendKey, st Stats) {
		if st.Conns != conns || st.Idle != idle || st.InFlight != inFlight {
			t.Errorf("stats %+v, want %d conns, %d idle, %d in flight", st, conns, idle, inFlight)
		}
	})
	for _, b := range set.backends {
		if b != nil {
			validateBackend(t, b)
		}
	}
	queued := map[*Endpoint]bool{}
	for e := set.firstQueued; e != nil; e = e.idle.after {
		if queued[e] || !e.idle.queued {
			t.Errorf("%v stands in the expiry queue twice", e.Addr)
			return
		}
		queued[e] = true
	}
}

// validate checks the links and states of e's idle list.
func validate(t *testing.T, e *Endpoint) {
	t.Helper()
	var n int32
	var newer *Conn
	for c := e.idle.newest; c != nil; newer, c = c, c.next {
		if c.prev != newer || c.state != connIdle || c.Endpoint != e || n > e.idle.n {
			t.Fatalf("%v: broken idle list", e.Addr)
		}
		n++
	}
	if n != e.idle.n || e.idle.oldest != newer || n > 0 && !e.idle.queued || e.Gone && n > 0 {
		t.Fatalf("%v: idle list of %d says %d, queued %v, gone %v", e.Addr, n, e.idle.n, e.idle.queued, e.Gone)
	}
}

// validateBackend checks the partition of b's Endpoints.
func validateBackend(t *testing.T, b *Backend) {
	t.Helper()
	out, next := 0, int64(never)
	for _, e := range b.endpoints {
		if e.health != healthy {
			out++
			next = min(next, e.until)
		}
		if e.Ejected() != slices.Contains(b.out, e) {
			t.Errorf("%v: ejected %v, but not where it belongs", e.Addr, e.Ejected())
		}
	}
	usable := len(b.endpoints) - out
	if usable == 0 {
		usable = len(b.endpoints)
	}
	// A probe's lease may be prolonged without a new schedule: early is harmless, late is not.
	if len(b.out) != out || len(b.usable) != usable || b.nextProbe > next {
		t.Errorf("%d out, %d usable, next probe %d; want %d, %d, %d", len(b.out), len(b.usable), b.nextProbe, out, usable, next)
	}
}
