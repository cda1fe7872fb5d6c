package routing

import "sync/atomic"

// Store holds the one published Snapshot. The zero value is ready and empty: Load returns nil until
// the first Publish. Load may be called from any goroutine; Publish from one at a time. Must not be
// copied.
type Store struct {
	current atomic.Pointer[Snapshot]
}

// Load returns the live Snapshot, or nil before the first Publish.
//
// hot: runs per request; no alloc, no lock.
func (s *Store) Load() *Snapshot { return s.current.Load() }

// Publish makes next live and gives it its Generation. The caller must not touch next afterwards.
func (s *Store) Publish(next *Snapshot) {
	next.Generation = 1
	if old := s.current.Load(); old != nil {
		next.Generation = old.Generation + 1
	}
	s.current.Store(next)
}
