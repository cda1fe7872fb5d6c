package e2e

import (
	"slices"
	"sync"
	"testing"
)

// expectation is which answers are right, over time. A request that is under way while they change may be
// answered by the state before, the one after or any between: it goes out at one moment, the gateway
// decides at another, and the answer arrives at a third. So an answer is held to all that was right from
// before the request went out until its answer was there, and to nothing else. Safe for concurrent use;
// the zero value has no right answer.
type expectation struct {
	mu sync.Mutex
	// Guarded by mu; lists are never edited:
	states [][]string
}

// Store makes other answers the right ones, from now on.
func (e *expectation) Store(answers *[]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states = append(e.states, slices.Clone(*answers))
}

// Load returns what is right now.
func (e *expectation) Load() *[]string {
	answers := e.since(e.now())
	return &answers
}

// now is a moment for since.
func (e *expectation) now() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.states)
}

// since returns what was right at some time from that moment on.
func (e *expectation) since(moment int) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Concat(e.states[max(0, moment-1):]...)
}

// TestExpectation: an answer is judged by the time of its request, no more and no less.
func TestExpectation(t *testing.T) {
	var e expectation
	e.Store(&[]string{"200 a"})
	early := e.now()
	e.Store(&[]string{"200 a", "200 b"})
	e.Store(&[]string{"200 b"})
	late := e.now()
	for _, tt := range []struct {
		moment int
		answer string
		right  bool
	}{
		{early, "200 a", true}, // answered before the change
		{early, "200 b", true}, // the request went out before it, and was answered after
		{late, "200 b", true},
		{late, "200 a", false}, // an answer of a state known to be over
		{early, "404", false},
	} {
		if got := slices.Contains(e.since(tt.moment), tt.answer); got != tt.right {
			t.Errorf("a request from moment %d answered %q: right is %v, want %v", tt.moment, tt.answer, got, tt.right)
		}
	}
	if now := *e.Load(); !slices.Equal(now, []string{"200 b"}) {
		t.Errorf("right now: %q", now)
	}
}
