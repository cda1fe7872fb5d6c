package servertest

import (
	"testing"
	"time"
)

// Short is the timeout under test. The wheel adds up to two ticks of 67 ms.
const Short = 150 * time.Millisecond

// Times is how often a test repeats something: all of it, or less with -short. Rows of tables are not for it, but where
// there are hundreds of a kind.
func Times(all, short int) int {
	if testing.Short() {
		return short
	}
	return all
}

// Until waits for what a peer cannot see.
func Until(t testing.TB, what string, f func() bool) {
	t.Helper()
	begun := time.Now()
	for pause := 20 * time.Microsecond; !f(); pause = min(2*pause, time.Millisecond) {
		if time.Since(begun) > Timeout {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(pause)
	}
}

// Took checks that something ended by its timeout: not before it, and long before any other. begun must
// be before the gateway could begin to count: what a peer sees, it sees late. Where nothing ends, the
// peer gives up after Timeout.
func Took(t testing.TB, begun time.Time, timeout time.Duration) {
	t.Helper()
	if d := time.Since(begun); d < timeout-10*time.Millisecond || d > Timeout/2 {
		t.Errorf("it took %v, want about %v", d, timeout)
	}
}

// EveryTick calls f again and again until stop is closed: a peer that trickles.
func EveryTick(pause time.Duration, stop chan struct{}, f func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			select {
			case <-stop: // both were ready
				return
			default:
			}
			f()
		}
	}
}
