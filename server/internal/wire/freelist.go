package wire

import (
	"iter"
	"slices"
)

// KeepFree bounds each list of free structs.
const KeepFree = 1024

// FreeList keeps structs of one kind for reuse by one loop. The caller of Put has reset them. The zero value is empty.
type FreeList[T any] struct{ free []*T }

// Take returns a struct, or nil if none is kept.
func (l *FreeList[T]) Take() *T {
	n := len(l.free) - 1
	if n < 0 {
		return nil
	}
	p := l.free[n]
	l.free = l.free[:n]
	return p
}

// Len returns how many are kept.
func (l *FreeList[T]) Len() int { return len(l.free) }

// All yields the structs that are kept.
func (l *FreeList[T]) All() iter.Seq[*T] { return slices.Values(l.free) }

// Full reports that Put keeps nothing.
func (l *FreeList[T]) Full() bool { return len(l.free) >= KeepFree }

// Put keeps p, unless enough are kept.
func (l *FreeList[T]) Put(p *T) {
	if !l.Full() {
		l.free = append(l.free, p)
	}
}
