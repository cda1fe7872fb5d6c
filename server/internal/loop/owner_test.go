//go:build invariants

package loop

import "testing"

// TestOwner: any goroutine may set a Loop up before it runs, and the loop's alone may touch it afterwards.
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
