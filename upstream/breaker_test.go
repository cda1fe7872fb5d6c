package upstream

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// broken returns the Backend with a breaker that opens at half of 10 attempts.
func broken(numbers ...int) *routing.Backend {
	b := backend(routing.RoundRobin, numbers...)
	b.Resilience = &routing.Resilience{Breaker: routing.Breaker{Percent: 50, Requests: 10, Base: s, Max: 5 * s}}
	return b
}

// attempt makes one that ends so, unless the breaker refuses it.
func attempt(b *Backend, now int64, o Outcome) bool {
	if b.Refuses(now) {
		return false
	}
	var a Attempt
	a.Begin(b, now)
	a.Finish(now, ms, o)
	return true
}

func TestBreaker(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	b := set.Backend(broken(1, 2, 3))
	now := s
	for i := range 9 {
		if !attempt(b, now, Reset) {
			t.Fatalf("open behind %d attempts", i)
		}
	}
	attempt(b, now, Reset)
	if !b.Refuses(now) || b.breaker.opened != 1 {
		t.Fatal("not open behind ten failures")
	}
	// It tries one at a time, and waits longer each time.
	last := int64(0)
	for range 5 {
		wait := b.breaker.until - now
		if length := b.breaker.length; wait < length*3/4 || wait > length*5/4 || length < last || length > 5*s {
			t.Errorf("open for %d ms, of %d ms", wait/ms, length/ms)
		}
		last = b.breaker.length
		now = b.breaker.until
		if b.Refuses(now-1) != true || b.Refuses(now) {
			t.Fatal("no request is let through in time")
		}
		var a Attempt
		a.Begin(b, now)
		if !b.Refuses(now) {
			t.Fatal("two are let through")
		}
		a.Finish(now, ms, ResponseTimeout)
	}
	if last != 5*s {
		t.Errorf("at last %d ms", last/ms)
	}
	// A client that leaves decides nothing; one that never ends makes room after a while.
	now = b.breaker.until
	for range 2 {
		if !attempt(b, now, Canceled) {
			t.Error("a client that left has kept the breaker from trying")
		}
	}
	if b.Refuses(now) || !b.Refuses(now+s) || b.Refuses(now+6*s) {
		t.Error("an attempt without an end blocks the breaker")
	}
	if !attempt(b, now+20*s, OK) || !attempt(b, now+20*s, Reset) || b.Refuses(now+20*s) || b.breaker.length != 0 {
		t.Error("not closed behind an answer")
	}
	// The state outlives a change of the Endpoints, and is gone without a breaker.
	for range 20 {
		attempt(b, now+21*s, Reset)
	}
	if b = set.Backend(broken(1, 2)); !b.Refuses(now + 21*s) {
		t.Error("a new Endpoint list has closed the breaker")
	}
	if b = set.Backend(backend(routing.RoundRobin, 1, 2)); b.Refuses(now + 21*s) {
		t.Error("a Backend without a breaker refuses")
	}
}

// TestBreakerWindow: failures among many answers, and those of long ago, do not open it; retries end where it opens.
func TestBreakerWindow(t *testing.T) {
	set, _ := newTestSet(t, Options{Eject: EjectOptions{ConsecutiveFailures: -1}})
	b := set.Backend(broken(1, 2, 3))
	now := s
	for i := range 3000 {
		now += 10 * ms
		if !attempt(b, now, []Outcome{OK, OK, Reset}[i%3]) {
			t.Fatal("open at a third")
		}
	}
	now += 60 * s
	for range 9 {
		now += 2 * s // never ten in a window
		if !attempt(b, now, Reset) {
			t.Fatal("open for failures of long ago")
		}
	}
	b = set.Backend(broken(1))
	now += 60 * s
	var a Attempt
	a.Begin(b, now)
	n := 1
	for {
		if _, again := a.Failed(now, Reset, Carried{Sent: SentBuffered, Idempotent: true}, 255); !again {
			break
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d attempts of one request, want those that open the breaker", n)
	}
}

// TestServerErrors: answers count as failures where the Backend says so.
func TestServerErrors(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	r := backend(routing.RoundRobin, 1, 2, 3)
	if b := set.Backend(r); b.Verdict(503) != OK {
		t.Error("an answer is a failure by default")
	}
	next := *r
	next.Resilience = &routing.Resilience{Eject: routing.Ejection{ServerErrors: true, Failures: 2}}
	b := set.Backend(&next)
	for status, want := range map[int]Outcome{200: OK, 404: OK, 429: OK, 500: ServerError, 501: OK, 502: ServerError, 503: ServerError, 504: ServerError, 505: OK} {
		if b.Verdict(status) != want {
			t.Errorf("%d is %v", status, b.Verdict(status))
		}
	}
	e := named(t, b, 2)
	exchange(e, s, ms, ServerError)
	exchange(e, s, ms, ServerError)
	if !e.Ejected() {
		t.Error("not ejected")
	}
}
