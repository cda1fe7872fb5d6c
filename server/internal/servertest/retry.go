package servertest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Try is the testing.TB of what may have to be played again: it keeps what goes wrong to itself.
type Try struct {
	testing.TB

	// Owned by the goroutine that plays:
	InTime bool

	// Guarded by mu:
	mu       sync.Mutex
	faults   []string
	cleanups []func()
}

// Retry plays a scene whose own peer has to be quicker than the gateway's timer. The machine may keep it from
// that for a moment, so where something goes wrong the scene is played again, with twice the timeout where
// that is the test's to set. A gateway that is wrong is so each time, and fails the test. A scene that
// knows that its peer was quick enough says so by inTime, and is not played again.
func Retry(t *testing.T, f func(s *Try, timeout time.Duration)) {
	t.Helper()
	for timeout := Short; ; timeout *= 2 {
		s := &Try{TB: t}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f(s, timeout)
		}()
		<-ended
		s.clean()
		s.mu.Lock()
		faults := s.faults
		s.mu.Unlock()
		if len(faults) == 0 {
			return
		}
		if last := timeout > 16*Short; s.InTime || last {
			for _, text := range faults {
				t.Error(text)
			}
			return
		}
		t.Logf("to be played again for %d faults, the first: %s", len(faults), faults[0])
	}
}

// Errorf and Error note a fault.
func (s *Try) Errorf(format string, args ...any) {
	s.mu.Lock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	s.mu.Unlock()
}

func (s *Try) Error(args ...any) { s.Errorf("%s", fmt.Sprint(args...)) }

// Cleanup has f called at the scene's end, where it can still find a fault.
func (s *Try) Cleanup(f func()) {
	s.mu.Lock()
	s.cleanups = append(s.cleanups, f)
	s.mu.Unlock()
}

// clean calls the last first.
func (s *Try) clean() {
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		f := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		f()
	}
}

// Fatalf and Fatal end the scene; like those of a test, they belong to its own goroutine.
func (s *Try) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	runtime.Goexit()
}

func (s *Try) Fatal(args ...any) { s.Fatalf("%s", fmt.Sprint(args...)) }
