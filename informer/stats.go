package informer

import (
	"sync"
	"time"
)

// PropagationBounds are the upper bounds of Stats.Propagation, in seconds; one more bucket counts
// everything above the last.
var PropagationBounds = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5}

// Stats counts the Controller's work since it started. A plain value.
type Stats struct {
	// Events counts changes of objects that the source reported.
	Events uint64
	// Builds counts builds; those that changed nothing a request could see were not published.
	Builds, Publishes uint64
	// LastBuild is how long the last build took, and LastPublish when the last publish ended.
	LastBuild   time.Duration
	LastPublish time.Time
	// Propagation counts publishes by the time from the oldest event in them to the publish; it is
	// not cumulative. PropagationSum is in seconds.
	Propagation    [len(PropagationBounds) + 1]uint64
	PropagationSum float64
	// Connected is false while the source cannot be reached; LastError is the last reason, and stays.
	Connected bool
	LastError string
}

// stats is Stats in the making. Safe for concurrent use.
type stats struct {
	mu sync.Mutex
	// Guarded by mu:
	s Stats
}

func (s *stats) built(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Builds++
	s.s.LastBuild = took
}

// published counts a publish; seen is when its oldest event came, zero for none.
func (s *stats) published(seen, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Publishes++
	s.s.LastPublish = now
	if seen.IsZero() {
		return
	}
	took := now.Sub(seen).Seconds()
	s.s.PropagationSum += took
	i := 0
	for i < len(PropagationBounds) && took > PropagationBounds[i] {
		i++
	}
	s.s.Propagation[i]++
}

func (s *stats) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}
