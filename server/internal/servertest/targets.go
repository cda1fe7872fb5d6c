package servertest

import (
	"fmt"
	"slices"
	"sync"
)

// Targets collects what a Backend was asked for.
type Targets struct {
	mu   sync.Mutex
	seen []string
}

// Add is for the Backend's goroutines.
func (s *Targets) Add(target string) {
	s.mu.Lock()
	s.seen = append(s.seen, target)
	s.mu.Unlock()
}

func (s *Targets) Has(target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.seen, target)
}

func (s *Targets) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *Targets) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%q", s.seen)
}
