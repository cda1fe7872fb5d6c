package upstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// step is what befalls an attempt.
type step struct {
	name    string
	end     bool // the loop is over: withdraw or finish
	full    bool
	outcome Outcome
	carried Carried
}

// steps are one of each kind that the loop tells apart.
var steps = []step{
	{name: "full", full: true},
	{name: "short", end: true, outcome: Outcomes},
	{name: "ok", end: true, outcome: OK},
	{name: "cut", end: true, outcome: Truncated},
	{name: "refused", outcome: ConnectFailed},
	{name: "silent", outcome: ConnectTimeout},
	{name: "reset", outcome: Reset, carried: Carried{Sent: SentBuffered, Idempotent: true}},
	{name: "reset unsafe", outcome: Reset, carried: Carried{Sent: SentBuffered}},
	{name: "reset late", outcome: Reset, carried: Carried{Sent: SentStreamed, Idempotent: true}},
	{name: "stale", outcome: Stale, carried: Carried{Sent: SentBuffered, Idempotent: true, Reused: true}},
	{name: "unprocessed", outcome: Reset, carried: Carried{Reused: true}},
	{name: "left", outcome: Canceled},
}

// course is one Attempt on a fresh Set, driven along a path of steps, and what is known of it from outside.
type course struct {
	t        *testing.T
	b        *Backend
	a        Attempt
	max      int
	told     []string
	at       *Endpoint   // nil once it is over
	last     *Endpoint   // failed last, in the attempt before
	refused  []*Endpoint // found full in this attempt
	attempts int
	fellBack bool
	ended    int // exchanges that an Endpoint was told of
}

func newCourse(t *testing.T, r *routing.Backend, seed uint64, max int) *course {
	set, _ := newTestSet(t, Options{Seed: seed, Eject: EjectOptions{ConsecutiveFailures: -1}})
	c := &course{t: t, b: set.Backend(r), max: max, attempts: 1}
	c.arrive(c.a.Begin(c.b, s))
	return c
}

func (c *course) errorf(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%v, max %d, [%s]: %s", c.b.balance, c.max, strings.Join(c.told, ", "), fmt.Sprintf(format, args...))
}

// arrive takes the Endpoint that the loop goes on at, and checks what holds at every time.
func (c *course) arrive(e *Endpoint) {
	c.t.Helper()
	c.at = e
	if c.a.Endpoint != e {
		c.errorf("the attempt is at %v, and returned %v", c.a.Endpoint, e)
	}
	var inFlight, ended int32
	for _, o := range c.b.endpoints {
		inFlight += o.InFlight
		if (o == e) != (o.InFlight == 1) {
			c.errorf("%d in flight at %v, and the attempt is at %v", o.InFlight, o.Addr, e)
		}
	}
	if inFlight != c.b.inFlight {
		c.errorf("%d in flight at the Backend, %d at its Endpoints", c.b.inFlight, inFlight)
	}
	for _, n := range c.b.outcomes {
		ended += int32(n)
	}
	if int(ended) != c.ended {
		c.errorf("%d exchanges ended, want %d", ended, c.ended)
	}
	if e == nil {
		return
	}
	if slices.Contains(c.refused, e) {
		c.errorf("%v is full, and is tried again", e.Addr)
	}
	if c.last == nil || c.fellBack {
		return
	}
	if e.pod() == c.last.pod() {
		for _, o := range c.b.usable {
			if o.pod() != e.pod() && !slices.Contains(c.refused, o) {
				c.errorf("the Pod of %v has just failed, and %v is ready", c.last.Addr, o.Addr)
			}
		}
	}
}

// take makes one step.
func (c *course) take(p step) {
	c.t.Helper()
	c.told = append(c.told, p.name)
	at := c.at
	switch {
	case p.full:
		c.refused = append(c.refused, at)
		e := c.a.Full(s)
		if left := len(c.b.usable) - len(c.refused); (e == nil) != (left == 0) {
			c.errorf("%d Endpoints are left, and the next is %v", left, e)
		}
		c.arrive(e)
	case p.end && p.outcome == Outcomes:
		c.a.Withdraw(s)
		c.arrive(nil)
	case p.end:
		c.ended++
		c.a.Finish(s, ms, p.outcome)
		c.arrive(nil)
	default:
		c.ended++
		connect := p.outcome == ConnectFailed || p.outcome == ConnectTimeout
		e, again := c.a.Failed(s, p.outcome, p.carried, c.max)
		if connect && at.twin != nil && !c.fellBack {
			if e != at.twin || again {
				c.errorf("the Pod's other address is next, got %v, again %v", e, again)
			}
			c.fellBack, c.refused = true, nil
			c.arrive(e)
			return
		}
		most := c.max
		if p.carried.Reused {
			most = max(most, 2)
		}
		safe := p.carried.Sent == Unsent || p.carried.Sent == SentBuffered && p.carried.Idempotent
		want := safe && c.attempts < most
		if again != want || again != (e != nil) {
			c.errorf("attempt %d: replay %v at %v, want %v", c.attempts, again, e, want)
		}
		c.last, c.fellBack, c.refused = at, false, nil
		c.attempts++
		c.arrive(e)
	}
}

// TestEveryCourse goes every way that attempts can go: all sequences of steps, on Backends of one to three Pods with one
// address or two, with one to three attempts. Where it ends nothing is in flight.
func TestEveryCourse(t *testing.T) {
	courses := 0
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for _, row := range []struct {
			r    *routing.Backend
			most int
		}{
			{backend(policy, 1), 3}, {backend(policy, 1, 2), 3}, {backend(policy, 1, 2, 3), 2},
			{dual(policy, 1), 3}, {dual(policy, 1, 2), 2},
		} {
			for max := 1; max <= row.most; max++ {
				// Deeper on each path until its last step ends it.
				path := []int{0}
				for len(path) > 0 {
					c := newCourse(t, row.r, 7, max)
					for _, i := range path {
						c.take(steps[i])
					}
					if c.at != nil {
						path = append(path, 0)
						continue
					}
					courses++
					for len(path) > 0 && path[len(path)-1] == len(steps)-1 {
						path = path[:len(path)-1]
					}
					if len(path) > 0 {
						path[len(path)-1]++
					}
				}
			}
		}
	}
	if courses < 50000 {
		t.Errorf("%d courses: some were not gone", courses)
	}
}

// TestAttemptsAreExact: where all fails before anything is sent, exactly as many attempts are made as are configured, each
// at another Endpoint than the one before.
func TestAttemptsAreExact(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for max := 1; max <= 11; max++ {
			c := newCourse(t, backend(policy, 1, 2, 3), uint64(max), max)
			n := 0
			for ; c.at != nil; n++ {
				c.take(steps[4])
			}
			if n != max {
				t.Errorf("%v: %d attempts, want %d", policy, n, max)
			}
		}
	}
}

// TestNoEndpoint: a Backend without Endpoints has none to begin at, and none for a replay where they have gone meanwhile.
func TestNoEndpoint(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	var a Attempt
	if e := a.Begin(set.Backend(backend(routing.RoundRobin)), s); e != nil || a.Endpoint != nil {
		t.Errorf("began at %v", e)
	}
	if e := a.Prefer(set.Backend(backend(routing.RoundRobin)), addr(1), s); e != nil {
		t.Errorf("began at %v", e)
	}
	for _, full := range []bool{false, true} {
		a = Attempt{}
		e := a.Begin(set.Backend(backend(routing.RoundRobin, 1)), s)
		set.Backend(backend(routing.RoundRobin))
		if full {
			if next := a.Full(s); next != nil {
				t.Errorf("of no Endpoint %v is not full", next)
			}
		} else if next, again := a.Failed(s, Reset, Carried{}, 2); next != nil || !again {
			t.Errorf("goes on at %v, again %v; want none, for want of one", next, again)
		}
		if e.InFlight != 0 {
			t.Errorf("%d in flight", e.InFlight)
		}
	}
}

// TestFullEndpoints: a request that is refused by full Endpoints looks at no more than mostFull others, and one of few finds
// the one that has room, wherever the policy began.
func TestFullEndpoints(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for _, n := range []int{1, 2, 3, 32, 33, 500} {
			set, _ := newTestSet(t, Options{MaxConnsPerEndpoint: 1, Seed: uint64(n)})
			b := set.Backend(backend(policy, upTo(n)...))
			for _, e := range b.endpoints {
				dial(e)
			}
			var a Attempt
			tried := 0
			for e := a.Begin(b, s); e != nil; e = a.Full(s) {
				tried++
			}
			if want := min(n, mostFull+1); tried < want-1 || tried > want {
				t.Errorf("%v: %d of %d full Endpoints were tried, want %d", policy, tried, n, want)
			}
			if n > mostFull {
				continue
			}
			for free := range n {
				a = Attempt{}
				e := a.Begin(b, s)
				for e != nil && e != b.endpoints[free] {
					e = a.Full(s)
				}
				if e == nil {
					t.Fatalf("%v: of %d Endpoints number %d was not found", policy, n, free)
				}
				a.Finish(s, ms, OK)
			}
			if b.inFlight != 0 {
				t.Errorf("%v: %d in flight", policy, b.inFlight)
			}
		}
	}
}

// TestFullIsSpread: what one full Endpoint refuses goes to all others alike.
func TestFullIsSpread(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		set, _ := newTestSet(t, Options{})
		b := set.Backend(backend(policy, upTo(5)...))
		took := map[*Endpoint]int{}
		for i := range 1000 {
			var a Attempt
			e := a.Prefer(b, addr(2), s)
			if e.Addr != addr(2) {
				t.Fatalf("%v: %v is not the wish", policy, e.Addr)
			}
			took[a.Full(s+int64(i))]++
			a.Withdraw(s)
		}
		for i, e := range b.endpoints {
			if n := took[e]; i == 2 && n != 0 || i != 2 && (n < 150 || n > 500) {
				t.Errorf("%v: Endpoint %d took %d of 1000", policy, i, n)
			}
		}
	}
}

// TestFullProbe: a probe that meets a full Endpoint has decided nothing: it is due again at once, and not lost.
func TestFullProbe(t *testing.T) {
	for _, short := range []bool{false, true} {
		set, _ := newTestSet(t, Options{})
		b := set.Backend(backend(routing.RoundRobin, 1, 2, 3))
		e := named(t, b, 1)
		for range 3 {
			exchange(e, s, ms, ConnectFailed)
		}
		now := e.until
		var a Attempt
		if a.Begin(b, now) != e {
			t.Fatal("no probe when due")
		}
		if short {
			a.Withdraw(now)
		} else if other := a.Full(now); other == nil || other == e {
			t.Fatalf("after the full one %v is next", other)
		} else {
			a.Finish(now, ms, OK)
		}
		if a = (Attempt{}); a.Begin(b, now+1) != e {
			t.Error("the probe is lost")
		}
		a.Finish(now+1, ms, OK)
		if e.Ejected() || b.inFlight != 0 {
			t.Errorf("ejected %v, %d in flight", e.Ejected(), b.inFlight)
		}
	}
}

// TestFullTwin: an attempt does not go on at the Pod's other address where that is full, which nobody looks at then; it
// is another Pod's turn, if there is another attempt.
func TestFullTwin(t *testing.T) {
	for max := 1; max <= 2; max++ {
		set, _ := newTestSet(t, Options{MaxConnsPerEndpoint: 1})
		b := set.Backend(dual(routing.RoundRobin, 1, 2))
		for _, e := range b.endpoints {
			if e.aside {
				dial(e)
			}
		}
		var a Attempt
		first := a.Begin(b, s)
		next, again := a.Failed(s, ConnectFailed, Carried{}, max)
		if max == 1 && (next != nil || again) {
			t.Errorf("goes on at %v, again %v", next.Addr, again)
		}
		if max == 2 && (next == nil || next.pod() == first.pod() || !again) {
			t.Errorf("goes on at %v, again %v, want the other Pod", next, again)
		}
		if next != nil {
			a.Finish(s, ms, OK)
		}
		if b.inFlight != 0 {
			t.Errorf("%d in flight", b.inFlight)
		}
	}
}

// TestFullTwinIsLast: the Pod that has failed last comes after all others, by whichever address.
func TestFullTwinIsLast(t *testing.T) {
	for seed := range uint64(20) {
		set, _ := newTestSet(t, Options{MaxConnsPerEndpoint: 1, Seed: seed})
		b := set.Backend(dual(routing.RoundRobin, 1, 2, 3, 4))
		for _, e := range b.endpoints {
			if e.aside {
				dial(e)
			}
		}
		var a Attempt
		first := a.Begin(b, s)
		next, _ := a.Failed(s, ConnectFailed, Carried{}, 2)
		for i := range 3 {
			if next == nil || next.pod() == first.pod() {
				t.Fatalf("seed %d: number %d after the failure is %v", seed, i, next)
			}
			next = a.Full(s)
		}
		if next == nil || next != first.twin {
			t.Fatalf("seed %d: the last is %v, want %v", seed, next, first.twin.Addr)
		}
		if next = a.Full(s); next != nil || b.inFlight != 0 {
			t.Errorf("seed %d: behind the last comes %v; %d in flight", seed, next, b.inFlight)
		}
	}
}

// TestFaceTurnedMeanwhile: only what failed to connect goes on at the Pod's other address, and not an exchange that fails
// otherwise after another one's failure has turned the face.
func TestFaceTurnedMeanwhile(t *testing.T) {
	for _, outcome := range []Outcome{Canceled, Reset, Malformed} {
		set, _ := newTestSet(t, Options{})
		b := set.Backend(dual(routing.RoundRobin, 1, 2))
		var a Attempt
		first := a.Begin(b, s)
		exchange(first, s, ms, ConnectFailed)
		next, again := a.Failed(s, outcome, Carried{}, 2)
		if next == nil || next.pod() == first.pod() || !again {
			t.Errorf("%v: goes on at %v, again %v, want the other Pod", outcome, next, again)
		}
		if next, again := a.Failed(s, outcome, Carried{}, 2); next != nil || again {
			t.Errorf("%v: goes on at %v, again %v after the last attempt", outcome, next.Addr, again)
		}
		if b.inFlight != 0 {
			t.Errorf("%d in flight", b.inFlight)
		}
	}
}

// TestWish: a wish is met as long as its Pod is there and not ejected, and holds for the first attempt.
func TestWish(t *testing.T) {
	eject := func(e *Endpoint) {
		for range 3 {
			exchange(e, s, ms, Reset)
		}
	}
	for _, tt := range []struct {
		name    string
		backend *routing.Backend
		prepare func(t *testing.T, b *Backend)
		met     bool
	}{
		{"there", backend(routing.RoundRobin, 1, 2, 3), func(*testing.T, *Backend) {}, true},
		{"alone", backend(routing.EWMA, 2), func(*testing.T, *Backend) {}, true},
		{"gone", backend(routing.RoundRobin, 1, 3), func(*testing.T, *Backend) {}, false},
		{"before all others", backend(routing.LeastConnections, 3, 4), func(*testing.T, *Backend) {}, false},
		{"behind all others", backend(routing.EWMA, 0, 1), func(*testing.T, *Backend) {}, false},
		{"failed once", backend(routing.RoundRobin, 1, 2, 3), func(t *testing.T, b *Backend) {
			exchange(named(t, b, 2), s, ms, Reset)
		}, true},
		{"ejected", backend(routing.RoundRobin, 1, 2, 3), func(t *testing.T, b *Backend) { eject(named(t, b, 2)) }, false},
		{"another is ejected", backend(routing.RoundRobin, 1, 2, 3), func(t *testing.T, b *Backend) { eject(named(t, b, 1)) }, true},
		{"all are ejected", backend(routing.RoundRobin, 1, 2), func(t *testing.T, b *Backend) {
			for _, e := range b.endpoints {
				e.health, e.until = ejected, never
			}
			b.partition()
		}, true},
		{"of two addresses", dual(routing.RoundRobin, 1, 2, 3), func(*testing.T, *Backend) {}, true},
		{"by its other address", dual(routing.RoundRobin, 1, 2, 3), func(t *testing.T, b *Backend) {
			named(t, b, 2).turnAway()
		}, true},
		{"ejected by both addresses", dual(routing.RoundRobin, 1, 2, 3), func(t *testing.T, b *Backend) {
			for e := named(t, b, 2); !e.Ejected(); e = e.face() {
				exchange(e, s, ms, ConnectFailed)
			}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, _ := newTestSet(t, Options{})
			b := set.Backend(tt.backend)
			tt.prepare(t, b)
			met := 0
			for range 30 {
				var a Attempt
				e := a.Prefer(b, addr(2), s)
				if e.aside {
					t.Fatalf("%v stands aside", e.Addr)
				}
				if e.pod() == 2 {
					met++
				}
				if next, again := a.Failed(s, Canceled, Carried{}, 2); len(b.endpoints) > 1 && next.pod() == e.pod() || !again {
					t.Errorf("%v failed, and %v is next", e.Addr, next.Addr)
				}
				a.Finish(s, ms, Canceled)
			}
			if tt.met && met != 30 || !tt.met && met != 0 {
				t.Errorf("the wish was met %d times of 30, want %v", met, tt.met)
			}
			if b.inFlight != 0 {
				t.Errorf("%d in flight", b.inFlight)
			}
		})
	}
}

// TestWishThatIsFull: another Endpoint has the request, and the wish is not tried again for it.
func TestWishThatIsFull(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(backend(routing.RoundRobin, 1, 2, 3))
	for range 12 {
		var a Attempt
		met := 0
		for e := a.Prefer(b, addr(2), s); e != nil; e = a.Full(s) {
			if e.Addr == addr(2) {
				met++
			}
		}
		if met != 1 || b.inFlight != 0 {
			t.Errorf("tried %d times, %d in flight", met, b.inFlight)
		}
	}
}
