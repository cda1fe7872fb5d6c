package source

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestQueue: the latest of each Key, in one go, and not before everything has been listed.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue()
		awake := func() bool {
			select {
			case <-q.Wake():
				return true
			default:
				return false
			}
		}
		a, b := Key{Ingress, types.NamespacedName{Name: "a"}}, Key{Service, types.NamespacedName{Name: "a"}}
		first := time.Now()
		q.Push(Event{a, 1}, Event{b, 1})
		time.Sleep(time.Second)
		q.Push(Event{a, 2})
		if awake() {
			t.Error("awake before everything is listed")
		}
		q.Listed()
		if !awake() || awake() {
			t.Error("not one token once everything is listed")
		}
		got, seen := q.Take()
		if want := map[Key]any{a: 2, b: 1}; !maps.Equal(got, want) || !seen.Equal(first) {
			t.Errorf("took %v, the oldest of %v; want %v of %v", got, seen, want, first)
		}
		if got, seen := q.Take(); len(got) != 0 || !seen.IsZero() {
			t.Errorf("took %v, the oldest of %v, from an empty queue", got, seen)
		}
		q.Push()
		if awake() {
			t.Error("awake without an Event")
		}
		q.Push(Event{Key: b})
		if object, gone := func() (any, bool) { got, _ := q.Take(); object, ok := got[b]; return object, ok }(); !awake() || object != nil || !gone {
			t.Errorf("a deletion: %v, %v", object, gone)
		}
		q.Signal()
		q.Signal()
		if !awake() || awake() || q.Count() != 4 {
			t.Errorf("after signals: %d Events", q.Count())
		}
	})
}

// TestQueueOfNothing: an empty list is one, too.
func TestQueueOfNothing(t *testing.T) {
	q := NewQueue()
	q.Listed()
	<-q.Wake()
	if got, _ := q.Take(); len(got) != 0 {
		t.Errorf("took %v", got)
	}
}
