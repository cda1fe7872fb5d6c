package upstream

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestMayReplay(t *testing.T) {
	const (
		idempotent, unsafe = true, false
		reused, fresh      = true, false
	)
	for _, tt := range []struct {
		method        bool
		sent          SentState
		conn          bool
		attempts, max int
		want          bool
	}{
		{idempotent, Unsent, fresh, 1, 2, true},
		{unsafe, Unsent, fresh, 1, 2, true}, // a refused connection has acted on nothing
		{unsafe, Unsent, reused, 1, 2, true},
		{idempotent, SentBuffered, fresh, 1, 2, true},
		{idempotent, SentBuffered, reused, 1, 2, true},
		{unsafe, SentBuffered, fresh, 1, 2, false},
		{unsafe, SentBuffered, reused, 1, 2, false}, // it may have been acted on before the close
		{idempotent, SentStreamed, fresh, 1, 2, false},
		{idempotent, SentStreamed, reused, 1, 2, false},
		{unsafe, SentStreamed, reused, 1, 2, false},

		// Attempts are bounded.
		{idempotent, Unsent, fresh, 2, 2, false},
		{idempotent, Unsent, reused, 2, 2, false},
		{idempotent, SentBuffered, reused, 3, 2, false},
		{idempotent, Unsent, fresh, 2, 3, true},

		// Replays switched off: only the keep-alive race gets one.
		{idempotent, Unsent, fresh, 1, 1, false},
		{idempotent, SentBuffered, reused, 1, 1, true},
		{unsafe, Unsent, reused, 1, 0, true},
		{unsafe, SentBuffered, reused, 1, 1, false},
		{idempotent, SentBuffered, reused, 2, 1, false},
	} {
		if got := mayReplay(Carried{tt.sent, tt.method, tt.conn}, tt.attempts, tt.max); got != tt.want {
			t.Errorf("mayReplay(idempotent=%v, %v, reused=%v, attempt %d of %d) = %v, want %v",
				tt.method, tt.sent, tt.conn, tt.attempts, tt.max, got, tt.want)
		}
	}
}

// TestBudget: what is sent again stays a part of what is sent first, whatever the pace.
func TestBudget(t *testing.T) {
	for _, row := range []struct {
		name          string
		percent       int32
		rate, seconds int // of requests, all of which fail
		least, most   int
	}{
		{"few", 20, 1, 50, 50, 50},
		{"many", 20, 1000, 60, 10_000, 14_000},
		{"a fifth is not a half", 50, 1000, 60, 27_000, 33_000},
		{"nothing beyond the reserve", 1, 1000, 10, 150, 320},
		{"none", -1, 1000, 10, 0, 0},
	} {
		var b budget
		now, got := s, 0
		for range row.rate * row.seconds {
			now += s / int64(row.rate)
			b.begun++
			if b.take(now, row.percent) {
				got++
			}
		}
		if got < row.least || got > row.most {
			t.Errorf("%s: %d of %d requests were sent again, want %d to %d", row.name, got, row.rate*row.seconds, row.least, row.most)
		}
	}
	// A long time without replays gives no credit for it: the rate of that time counts, not its sum.
	b := budget{begun: 1_000_000}
	now, got := 100_000*s, 0
	for b.take(now, 20) {
		got++
	}
	if got > 130 {
		t.Errorf("%d replays in one moment, behind a day of ten requests a second", got)
	}
}

// TestReplaysAvoidFailed: a request goes to as many Endpoints as it has attempts, where so many are ready.
func TestReplaysAvoidFailed(t *testing.T) {
	for _, policy := range []routing.Balance{routing.RoundRobin, routing.EWMA, routing.LeastConnections} {
		for seed := range uint64(50) {
			set, _ := newTestSet(t, Options{Seed: seed})
			b := set.Backend(backend(policy, 1, 2, 3, 4))
			var a Attempt
			seen := map[*Endpoint]bool{a.Begin(b, s): true}
			for range 3 {
				e, again := a.Failed(s, ResponseTimeout, Carried{Sent: SentBuffered, Idempotent: true}, 10)
				if !again || seen[e] {
					t.Fatalf("%v, seed %d: attempt %d at %v, again %v", policy, seed, len(seen)+1, e.Addr, again)
				}
				seen[e] = true
			}
			a.Finish(s, ms, OK)
		}
	}
}
