package informer

import (
	"time"

	networkingv1 "k8s.io/api/networking/v1"
)

// classGrace is how long a class that is deleted in a cluster still counts. spec.controller cannot be
// changed, so a class is replaced by deleting and creating it (kubectl replace --force, and so do
// installers), and between the two events all its Ingresses would answer 404. A class created again
// within that time, whatever its content, counts at once.
const classGrace = 10 * time.Second

// put stores the new state of a class, and returns the one that counted before and the one that counts.
func (s *classSet) put(name string, next *networkingv1.IngressClass, at time.Time) (old, now *networkingv1.IngressClass) {
	old = s.byName[name]
	// A directory of manifests is read as a whole, so that a class is never missing between two files.
	if next == nil && old != nil && s.cfg.Manifests == "" {
		if _, gone := s.leaving[name]; !gone {
			s.leaving[name] = at.Add(classGrace)
		}
		return old, old
	}
	delete(s.leaving, name)
	put(s.byName, name, next)
	return old, next
}

// endGraces forgets the classes whose grace has ended.
func (s *classSet) endGraces(now time.Time) {
	for name, until := range s.leaving {
		if !now.Before(until) {
			delete(s.leaving, name)
			delete(s.byName, name)
			s.changed = true
		}
	}
}

// next returns when the first class ceases to count, or zero for never.
func (s *classSet) next() (first time.Time) {
	for _, until := range s.leaving {
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	return first
}
