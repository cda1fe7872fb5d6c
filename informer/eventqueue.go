package informer

import (
	"container/heap"
	"slices"
	"sync"

	eventsv1 "k8s.io/api/events/v1"
)

// eventQueue holds the Events to be written, by the namespaces of their objects. The namespaces take turns, and
// where there is no room, the newest Event of the one with the most is dropped: thousands of bad objects of one
// namespace neither delay those of another by more than an Event each, nor push them out. Safe for concurrent
// use; must not be copied.
type eventQueue struct {
	// Immutable after newEventQueue:
	limit int
	// wake has a token when there may be something to write.
	wake chan struct{}

	mu sync.Mutex
	// Guarded by mu:
	count       int
	byNamespace map[string]*eventTurn // those with Events
	turns       []*eventTurn          // the same, the next to be served first
	longest     turnHeap              // the same, the longest first
}

// eventTurn is the Events of one namespace, oldest first.
type eventTurn struct {
	namespace string
	events    []*eventsv1.Event
	// index is the place in eventQueue.longest.
	index int
}

func newEventQueue(limit int) *eventQueue {
	return &eventQueue{limit: limit, wake: make(chan struct{}, 1), byNamespace: make(map[string]*eventTurn)}
}

// put adds e. It reports whether the queue dropped an Event for it, e or another.
func (q *eventQueue) put(e *eventsv1.Event) (lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	namespace := e.Regarding.Namespace
	t := q.byNamespace[namespace]
	if q.count == q.limit {
		lost = true
		most := q.longest[0]
		if t != nil && len(t.events) == len(most.events) || len(most.events) == 1 {
			return lost
		}
		// Set to nil, or the array would keep the Event.
		last := len(most.events) - 1
		most.events[last] = nil
		most.events = most.events[:last]
		q.changed(most)
	}
	if t == nil {
		t = &eventTurn{namespace: namespace}
		q.byNamespace[namespace] = t
		q.turns = append(q.turns, t)
		heap.Push(&q.longest, t)
	}
	t.events = append(t.events, e)
	q.count++
	heap.Fix(&q.longest, t.index)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return lost
}

// take returns the next Event, which leaves the queue, or nil.
func (q *eventQueue) take() *eventsv1.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turns) == 0 {
		return nil
	}
	t := q.turns[0]
	q.turns = slices.Delete(q.turns, 0, 1)
	e := t.events[0]
	t.events[0] = nil
	if t.events = t.events[1:]; len(t.events) > 0 {
		q.turns = append(q.turns, t)
	}
	q.changed(t)
	return e
}

// empty reports whether nothing is to be written. Only take changes the result to true.
func (q *eventQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count == 0
}

// changed updates the count after an Event of t is gone, and forgets t with its last.
func (q *eventQueue) changed(t *eventTurn) {
	q.count--
	if len(t.events) > 0 {
		heap.Fix(&q.longest, t.index)
		return
	}
	heap.Remove(&q.longest, t.index)
	delete(q.byNamespace, t.namespace)
}

// turnHeap is a heap.Interface with the longest first.
type turnHeap []*eventTurn

func (h turnHeap) Len() int           { return len(h) }
func (h turnHeap) Less(i, j int) bool { return len(h[i].events) > len(h[j].events) }

func (h turnHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *turnHeap) Push(x any) {
	t := x.(*eventTurn)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *turnHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
