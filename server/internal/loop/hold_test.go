package loop

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// held serves a Loop that holds on to its processor for a minute at a time, once it was busy, where hold is what a Loop
// waits in: what a test sees then is none of the wait's own end. It returns when the Loop waits so.
func held(t *testing.T) *Loop {
	t.Helper()
	if err := Pollers(64); err != nil {
		t.Fatal(err)
	}
	l := start(t)
	on(l, func() { l.hold = 60_000 })
	on(l, func() {}) // it waits behind this one
	return l
}

// soon is what f has to end in, however busy the machine: the wait that it must not wait for is twice as long.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	begun := time.Now()
	go func() { f(); close(done) }()
	<-done
	if d := time.Since(begun); d > 30*time.Second {
		t.Errorf("%s took %v beside a loop that waits", what, d)
	}
}

// TestHeldProcessor: a loop that waits with its processor keeps no other goroutine from what it does, not even where it has the
// only one.
func TestHeldProcessor(t *testing.T) {
	for _, processors := range []int{1, 2} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			l := held(t)
			for range processors {
				soon(t, "stopping the world", func() { runtime.GC() })
				soon(t, "a goroutine", func() {
					var n atomic.Int64
					go n.Add(1)
					for n.Load() == 0 {
						runtime.Gosched()
					}
				})
				soon(t, "a connection", func() {
					ln, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Error(err)
						return
					}
					defer ln.Close()
					go func() {
						if c, err := ln.Accept(); err == nil {
							_, _ = c.Write([]byte("a"))
							c.Close()
						}
					}()
					c, err := net.Dial("tcp", ln.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					if _, err := c.Read(make([]byte, 1)); err != nil {
						t.Error(err)
					}
				})
				soon(t, "what is posted", func() { on(l, func() {}) })
			}
			on(l, func() { l.hold = hold })
		}()
	}
}

// TestBusyLoopYields: a loop that is never idle lets others have the only processor.
func TestBusyLoopYields(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if err := Pollers(64); err != nil {
		t.Fatal(err)
	}
	l := start(t)
	before := make(chan int64)
	l.Post(func() { before <- l.yielded })
	first := <-before
	var stop atomic.Bool
	defer stop.Store(true)
	var again func()
	again = func() {
		if !stop.Load() {
			go l.Post(again)
		}
	}
	l.Post(again)
	soon(t, "a yield", func() {
		for now := first; now == first; {
			l.Post(func() { before <- l.yielded })
			now = <-before
		}
	})
}
