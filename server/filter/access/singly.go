package access

import (
	"context"
	"errors"
	"sync"
	"time"
)

// singly has something done by one goroutine for all that want it at the same time, and not again before a while. The zero value
// has done nothing.
type singly struct {
	mu sync.Mutex
	// Guarded by mu:
	ended   chan struct{} // closed once what is under way has ended; nil where nothing is
	tried   time.Time     // when the last try ended
	failure error         // of it
}

// do calls try, or waits for the call that is under way. It does nothing where the last one is not long ago, for a rest that depends
// on how that ended, or where it is done already. try goes on when the client that asked first has left.
func (s *singly) do(ctx context.Context, rest, retry time.Duration, done func() bool, try func() error) error {
	s.mu.Lock()
	if ended := s.ended; ended != nil {
		s.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failure
	}
	if s.failure != nil {
		rest = retry
	}
	if time.Since(s.tried) < rest || done() {
		defer s.mu.Unlock()
		return s.failure
	}
	ended := make(chan struct{})
	s.ended = ended
	s.mu.Unlock()
	err := errPanic
	defer func() {
		s.mu.Lock()
		s.ended, s.failure, s.tried = nil, err, time.Now()
		s.mu.Unlock()
		close(ended)
	}()
	err = try()
	return err
}

var errPanic = errors.New("it has panicked")
