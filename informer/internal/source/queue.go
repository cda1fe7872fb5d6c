package source

import (
	"sync"
	"time"
)

// Queue holds the changes that are not built yet, the latest of each object, so that it never holds
// more than there are objects. Made by NewQueue. Safe for concurrent use; must not be copied.
type Queue struct {
	wake chan struct{}

	mu sync.Mutex
	// Guarded by mu:
	pending map[Key]any
	first   time.Time // when the oldest pending event came
	events  uint64
	listed  bool
}

func NewQueue() *Queue {
	return &Queue{wake: make(chan struct{}, 1), pending: make(map[Key]any)}
}

// Wake has one token while the queue is not empty and the source has listed everything, and after Signal.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

// Push adds events that must become visible together.
func (q *Queue) Push(events ...Event) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	if len(q.pending) == 0 {
		q.first = time.Now()
	}
	for _, e := range events {
		q.pending[e.Key] = e.Object
	}
	q.events += uint64(len(events))
	ready := q.listed
	q.mu.Unlock()
	if ready {
		q.Signal()
	}
}

// Listed marks that the source has delivered its first full list. It wakes the receiver even when
// the list was empty, because an empty Snapshot is one too.
func (q *Queue) Listed() {
	q.mu.Lock()
	q.listed = true
	q.mu.Unlock()
	q.Signal()
}

// Signal wakes the receiver without an event.
func (q *Queue) Signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Take empties the queue. seen is when the oldest of the events came, zero when there is none.
func (q *Queue) Take() (pending map[Key]any, seen time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pending, seen = q.pending, q.first
	q.pending, q.first = make(map[Key]any), time.Time{}
	return pending, seen
}

// Count returns how many events came so far.
func (q *Queue) Count() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events
}
