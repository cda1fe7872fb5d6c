package server

import (
	"iter"
	"slices"
)

// keepFree bounds each list of free structs.
const keepFree = 1024

// freeList keeps structs of one kind for reuse by one loop. Who puts one in has reset it.
type freeList[T any] struct{ free []*T }

// take returns a struct, or nil where none is kept.
func (l *freeList[T]) take() *T {
	n := len(l.free) - 1
	if n < 0 {
		return nil
	}
	p := l.free[n]
	l.free = l.free[:n]
	return p
}

// len returns how many are kept.
func (l *freeList[T]) len() int { return len(l.free) }

// all yields the structs that are kept.
func (l *freeList[T]) all() iter.Seq[*T] { return slices.Values(l.free) }

// full reports that put keeps nothing.
func (l *freeList[T]) full() bool { return len(l.free) >= keepFree }

// put keeps p, unless enough are kept.
func (l *freeList[T]) put(p *T) {
	if !l.full() {
		l.free = append(l.free, p)
	}
}
