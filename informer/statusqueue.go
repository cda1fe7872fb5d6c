package informer

import (
	"container/heap"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// statusQueue holds the statuses to be written, one for each Ingress at most, and chooses the next. An Ingress just
// changed goes before the backlog: its author waits for it, and at a start in a large cluster the backlog is
// thousands. Among the urgent ones the newest goes first, for the same reason; at the rate of statusQPS all of them
// have their turn. Safe for concurrent use; must not be copied.
type statusQueue struct {
	// wake has a token when there may be something new to do.
	wake chan struct{}

	mu sync.Mutex
	// Guarded by mu:
	tasks map[routing.ObjectName]*statusTask
	// waiting are the tasks whose time has not come, and ready the others.
	waiting, ready taskHeap
	// again is when an Ingress that was written may be written again.
	again   map[routing.ObjectName]time.Time
	changes uint64
}

// statusTask is one status to write.
type statusTask struct {
	name      routing.ObjectName
	addresses []networkingv1.IngressLoadBalancerIngress
	// version is set where the addresses are to be removed, to that of the object with them: a later
	// value of another program is not ours to remove.
	version string

	urgent bool
	due    time.Time
	// change counts up; the newest has the highest.
	change uint64
	// index is the place in the heap that has the task.
	index int
	ready bool
}

func newStatusQueue() *statusQueue {
	return &statusQueue{
		wake:    make(chan struct{}, 1),
		tasks:   make(map[routing.ObjectName]*statusTask),
		again:   make(map[routing.ObjectName]time.Time),
		waiting: taskHeap{less: func(a, b *statusTask) bool { return a.due.Before(b.due) }},
		ready: taskHeap{less: func(a, b *statusTask) bool {
			if a.urgent != b.urgent {
				return a.urgent
			}
			return a.change > b.change
		}},
	}
}

// put has t written at t.due, or later where the Ingress was written a short while ago. A task already
// waiting keeps its time, and is as urgent as the more urgent of the two.
func (q *statusQueue) put(t statusTask) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if old := q.tasks[t.name]; old != nil {
		t.urgent = t.urgent || old.urgent
		t.due = old.due
		q.removeLocked(old)
	}
	if again := q.again[t.name]; t.due.Before(again) {
		t.due = again
	}
	q.changes++
	t.change = q.changes
	q.tasks[t.name] = &t
	heap.Push(&q.waiting, &t)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// drop removes the task of an Ingress: the API server has the right status.
func (q *statusQueue) drop(name routing.ObjectName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t := q.tasks[name]; t != nil {
		q.removeLocked(t)
	}
}

// forget is drop for an Ingress that is gone.
func (q *statusQueue) forget(name routing.ObjectName) {
	q.drop(name)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.again, name)
}

func (q *statusQueue) removeLocked(t *statusTask) {
	delete(q.tasks, t.name)
	h := &q.waiting
	if t.ready {
		h = &q.ready
	}
	heap.Remove(h, t.index)
}

// take returns the next task that is due, which leaves the queue, or nil and for how long there is none.
func (q *statusQueue) take(now time.Time) (t *statusTask, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if wait = q.pendingLocked(now); wait > 0 {
		return nil, wait
	}
	t = heap.Pop(&q.ready).(*statusTask)
	delete(q.tasks, t.name)
	q.again[t.name] = now.Add(statusAgain)
	return t, 0
}

// pending returns for how long there is nothing to do, 0 where there is something now.
func (q *statusQueue) pending(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pendingLocked(now)
}

func (q *statusQueue) pendingLocked(now time.Time) time.Duration {
	for len(q.waiting.list) > 0 && !q.waiting.list[0].due.After(now) {
		t := heap.Pop(&q.waiting).(*statusTask)
		t.ready = true
		heap.Push(&q.ready, t)
	}
	switch {
	case len(q.ready.list) > 0:
		return 0
	case len(q.waiting.list) > 0:
		return q.waiting.list[0].due.Sub(now)
	}
	return time.Hour
}

// retry queues a task again that could not be written, unless there is a newer one.
func (q *statusQueue) retry(t *statusTask) {
	q.mu.Lock()
	_, newer := q.tasks[t.name]
	q.mu.Unlock()
	if !newer {
		next := *t
		next.ready = false
		q.put(next)
	}
}

// len returns the number of tasks.
func (q *statusQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks)
}

// taskHeap is a heap.Interface of tasks that know their place.
type taskHeap struct {
	list []*statusTask
	less func(a, b *statusTask) bool
}

func (h *taskHeap) Len() int           { return len(h.list) }
func (h *taskHeap) Less(i, j int) bool { return h.less(h.list[i], h.list[j]) }

func (h *taskHeap) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].index, h.list[j].index = i, j
}

func (h *taskHeap) Push(x any) {
	t := x.(*statusTask)
	t.index = len(h.list)
	h.list = append(h.list, t)
}

func (h *taskHeap) Pop() any {
	last := len(h.list) - 1
	t := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	return t
}
