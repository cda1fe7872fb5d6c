package informer

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

func numbered(namespace string, n int) *eventsv1.Event {
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint(n)},
		Regarding:  corev1.ObjectReference{Namespace: namespace},
	}
}

// TestEventsTakeTurns: each namespace has an Event at a time, in the order of their coming.
func TestEventsTakeTurns(t *testing.T) {
	q := newEventQueue(100)
	for i := range 3 {
		q.put(numbered("a", i))
	}
	q.put(numbered("b", 0))
	q.put(numbered("c", 0))
	q.put(numbered("b", 1))
	got := ""
	for e := q.take(); e != nil; e = q.take() {
		got += e.Namespace + e.Name + " "
	}
	if want := "a0 b0 c0 a1 b1 a2 "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestEventsGiveWay: the namespace with the most loses its newest, and one with fewer loses nothing; the
// queue never holds more than its limit, and nothing already taken.
func TestEventsGiveWay(t *testing.T) {
	const limit = 12
	q := newEventQueue(limit)
	put := func(namespace string, n, lost int) {
		t.Helper()
		for i := range n {
			if q.put(numbered(namespace, i)) {
				lost--
			}
		}
		if lost != 0 {
			t.Errorf("%d Events of %s: %d fewer lost than meant", n, namespace, lost)
		}
	}
	counts := func(want string) {
		t.Helper()
		got, n := "", 0
		for _, namespace := range []string{"hostile", "a", "b"} {
			if turn := q.byNamespace[namespace]; turn != nil {
				got += fmt.Sprint(namespace, "=", len(turn.events), " ")
				n += len(turn.events)
			}
		}
		if got != want || n > limit {
			t.Errorf("%s, want %s", got, want)
		}
	}
	put("hostile", 1000, 988)
	counts("hostile=12 ")
	put("a", 5, 5)
	counts("hostile=7 a=5 ")
	put("hostile", 1000, 1000)
	counts("hostile=7 a=5 ")
	put("b", 3, 3)
	counts("hostile=4 a=5 b=3 ") // both have lost: neither has a right to more than a third
	put("b", 100, 100)
	counts("hostile=4 a=4 b=4 ")
	first := map[string]string{}
	n := 0
	for e := q.take(); e != nil; e = q.take() {
		if n++; first[e.Namespace] == "" {
			first[e.Namespace] = e.Name
		}
	}
	if n != limit || first["hostile"]+first["a"]+first["b"] != "000" {
		t.Errorf("%d Events taken, the first ones %v", n, first)
	}
	if q.count != 0 || len(q.byNamespace)+len(q.turns)+len(q.longest) != 0 {
		t.Errorf("an empty queue holds %d Events, %d namespaces", q.count, len(q.byNamespace))
	}
	// Many namespaces with one each: none is better than the others, so that those that are there stay.
	for i := range 3 * limit {
		q.put(numbered(fmt.Sprint(i), 0))
	}
	if e := q.take(); q.count != limit-1 || e.Namespace != "0" {
		t.Errorf("%d Events left, the first of %s", q.count, e.Namespace)
	}
}

// TestBadObjectsDoNotCrowdOutEvents: beside thousands of bad Ingresses of one namespace, those of others have
// their Events next, and all of them.
func TestBadObjectsDoNotCrowdOutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const others = 5
		client := fake.NewClientset()
		var written []string
		client.PrependReactor("create", "events", func(a clienttesting.Action) (bool, runtime.Object, error) {
			e := a.(clienttesting.CreateAction).GetObject().(*eventsv1.Event)
			written = append(written, e.Regarding.Namespace)
			return true, e, nil
		})
		w := newEventWriter(client, slog.New(slog.DiscardHandler))
		bad := func(namespace string, n int) *eventsv1.Event {
			return w.event(Rejection{Object: Object{Kind: "Ingress", Namespace: namespace, Name: fmt.Sprint(n)}, Reason: "is bad"},
				corev1.ObjectReference{Kind: "Ingress", Namespace: namespace, Name: fmt.Sprint(n)})
		}
		for i := range 5000 {
			w.queue.put(bad("hostile", i))
		}
		for i := range others {
			for j := range 10 {
				w.queue.put(bad(fmt.Sprint("other-", i), j))
			}
		}
		if w.queue.count != maxEvents {
			t.Errorf("%d Events wait, and at most %d may", w.queue.count, maxEvents)
		}
		done := make(chan struct{})
		go func() { defer close(done); w.run(t.Context()) }()
		synctest.Wait() // until the burst is used up
		count := map[string]int{}
		for _, namespace := range written[:10*(others+1)] {
			count[namespace]++
		}
		for i := range others {
			if n := count[fmt.Sprint("other-", i)]; n != 10 {
				t.Errorf("other-%d has %d of its 10 Events, hostile %d", i, n, count["hostile"])
			}
		}
	})
}

// TestNoteSharesTheQueue: the Rejections of a build go the same way.
func TestNoteSharesTheQueue(t *testing.T) {
	w := newEventWriter(fake.NewClientset(), slog.New(slog.DiscardHandler))
	world := newWorld(Config{IngressClass: DefaultClass, Controllers: []string{DefaultController}, Manifests: "dir"})
	world.b.rejected.collect = true
	events := fleet(2 * maxEvents)
	for _, e := range events {
		if ing, ok := e.Object.(*networkingv1.Ingress); ok {
			ing.Annotations = map[string]string{annotation.OwnPrefix + "no-such-thing": "x"}
		}
	}
	world.step(events...)
	w.note(world.b.rejected.takeAdded(), world.b.reference)
	late := fleet(1)[0].Object.(*networkingv1.Ingress).DeepCopy()
	late.Namespace, late.Annotations = "late", map[string]string{annotation.OwnPrefix + "no-such-thing": "x"}
	world.step(event(source.Ingress, routing.ObjectName{Namespace: "late", Name: late.Name}, late))
	w.note(world.b.rejected.takeAdded(), world.b.reference)
	if w.queue.count != maxEvents || w.queue.byNamespace["late"] == nil {
		t.Errorf("%d Events wait, none of the namespace that came late", w.queue.count)
	}
}
