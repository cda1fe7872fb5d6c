//go:build invariants

package loop

import "testing"

// TestOwner: what is set up before the loop runs may come from any goroutine, and afterwards from the loop's alone.
func TestOwner(t *testing.T) {
	l := start(t)
	var timer Timer
	done := make(chan struct{})
	l.Post(func() { l.Set(&timer, l.Now()+1e9); timer.Stop(); close(done) })
	<-done
	defer func() {
		if recover() == nil {
			t.Error("another goroutine set a timer")
		}
	}()
	l.Set(&timer, 1)
}
