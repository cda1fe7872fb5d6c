//go:build invariants

package loop

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
)

// owner knows the goroutine of a Loop, under the build tag invariants: another goroutine that touches the loop's state
// panics at once, where the race detector needs both to touch it at once.
type owner struct{ goroutine atomic.Uint64 }

// enter is called where the loop's goroutine begins a batch.
func (o *owner) enter() { o.goroutine.Store(goroutine()) }

// check panics on any other goroutine than that of the last batch. Before the first one the Loop is being set up.
func (o *owner) check() {
	if owns := o.goroutine.Load(); owns != 0 && owns != goroutine() {
		panic(fmt.Sprintf("BUG: goroutine %d touches a Loop of goroutine %d: post", goroutine(), owns))
	}
}

// goroutine returns the number of the calling goroutine, which only stack traces have.
func goroutine() uint64 {
	var text [64]byte
	b := bytes.TrimPrefix(text[:runtime.Stack(text[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(b, []byte(" "))
	n, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("BUG: a stack trace begins with %q", text))
	}
	return n
}
