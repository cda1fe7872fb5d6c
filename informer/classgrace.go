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

// classGraces holds the deleted classes that still count, with the time when they cease to. The builder
// keeps them in its cache until then. Owned by the builder's goroutine; the zero value is ready.
type classGraces struct {
	until map[string]time.Time
}

// put stores the new state of a class in the cache, and returns the one that counted before.
func (b *builder) putClass(name string, next *networkingv1.IngressClass) (old, now *networkingv1.IngressClass) {
	old = b.cache.classes[name]
	// A directory of manifests is read as a whole, so that a class is never missing between two files.
	if next == nil && old != nil && b.cfg.Manifests == "" {
		if _, gone := b.leaving.until[name]; !gone {
			if b.leaving.until == nil {
				b.leaving.until = make(map[string]time.Time)
			}
			b.leaving.until[name] = b.now().Add(classGrace)
		}
		return old, old
	}
	delete(b.leaving.until, name)
	put(b.cache.classes, name, next)
	return old, next
}

// endGraces forgets the classes whose grace has ended.
func (b *builder) endGraces() {
	now := b.now()
	for name, until := range b.leaving.until {
		if !now.Before(until) {
			delete(b.leaving.until, name)
			delete(b.cache.classes, name)
			b.dirtyClasses = true
		}
	}
}

// next returns when the first class ceases to count, or zero for never.
func (g *classGraces) next() (first time.Time) {
	for _, until := range g.until {
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	return first
}

// nextChange returns when the builder has something to do without an event, or zero for never.
func (b *builder) nextChange() time.Time {
	next, class := b.certificates.next, b.leaving.next()
	if next.IsZero() || !class.IsZero() && class.Before(next) {
		return class
	}
	return next
}
