package informer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// statusServer is an API server that takes a while for each write, and notifies the builder later still.
type statusServer struct {
	t     *testing.T
	b     *builder
	w     *statusWriter
	takes time.Duration
	queue *source.Queue // where note's events come from

	mu sync.Mutex
	// Guarded by mu:
	order         []string
	writing, peak int
	unavailable   bool
	written       map[string]int
}

// newStatusServer has n Ingresses that are served and have no status.
func newStatusServer(t *testing.T, n int, takes time.Duration) *statusServer {
	cfg, err := Config{Manifests: "m", StatusAddresses: []string{"192.0.2.1"}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &statusServer{t: t, b: newBuilder(cfg, nil), takes: takes, queue: source.NewQueue(), written: make(map[string]int)}
	s.w = newStatusWriter(&cfg, nil, slog.New(slog.DiscardHandler))
	s.w.patch = s.patch
	for i := range n {
		s.b.apply(keyOf(source.Ingress, fleetName(i)), s.ingress(i))
	}
	return s
}

func (s *statusServer) ingress(i int) *networkingv1.Ingress {
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: fleetName(i).Namespace, Name: fleetName(i).Name, ResourceVersion: "1"}}
	ing.Spec.Rules = []networkingv1.IngressRule{{Host: fmt.Sprintf("app-%d.test", i)}}
	return ing
}

func (s *statusServer) patch(_ context.Context, object routing.ObjectName, text []byte) error {
	name := object.Name
	s.mu.Lock()
	s.writing++
	s.peak = max(s.peak, s.writing)
	unavailable := s.unavailable
	s.order = append(s.order, name)
	s.mu.Unlock()
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing--
	if unavailable {
		return apierrors.NewServiceUnavailable("starting")
	}
	var patch struct {
		Metadata struct{ ResourceVersion string }
		Status   struct {
			LoadBalancer networkingv1.IngressLoadBalancerStatus
		}
	}
	if err := json.Unmarshal(text, &patch); err != nil {
		return err
	}
	s.written[name]++
	var number int
	if _, err := fmt.Sscanf(name, "app-%d", &number); err != nil {
		return err
	}
	ing := s.ingress(number)
	ing.Status.LoadBalancer = patch.Status.LoadBalancer
	time.AfterFunc(50*time.Millisecond, func() {
		s.queue.Push(event(source.Ingress, fleetName(number), ing))
	})
	return nil
}

// step is Controller.step, as far as the status is concerned.
func (s *statusServer) step(events ...source.Event) {
	s.queue.Push(events...)
	pending, _ := s.queue.Take()
	for key, object := range pending {
		s.b.apply(key, object)
	}
	s.b.build()
	s.w.note(s.b, pending)
}

// run steps every few milliseconds until the queue is empty, or for the longest time.
func (s *statusServer) run(longest time.Duration) (took time.Duration) {
	begun := time.Now()
	for time.Since(begun) < longest {
		time.Sleep(5 * time.Millisecond)
		s.step()
		s.mu.Lock()
		done := s.writing == 0 && s.w.queue.len() == 0
		s.mu.Unlock()
		if done {
			return time.Since(begun)
		}
	}
	return time.Since(begun)
}

// TestStatusOfTenThousand: on a server that takes 30 ms for a write, all are written within 40 seconds, by
// few at a time, each once; and what changes meanwhile has its status within half a second.
func TestStatusOfTenThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		s := newStatusServer(t, n, 30*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.w.run(ctx) })
		defer running.Wait()
		defer cancel()
		begun := time.Now()
		s.step()
		for i := n; i < n+5; i++ {
			s.run(3 * time.Second)
			s.mu.Lock()
			before := len(s.order)
			s.mu.Unlock()
			s.step(event(source.Ingress, fleetName(i), s.ingress(i)))
			s.run(500 * time.Millisecond)
			s.mu.Lock()
			if s.written[fleetName(i).Name] == 0 {
				t.Errorf("%s has no status half a second after it came; %d others were written meanwhile", fleetName(i).Name, len(s.order)-before)
			}
			s.mu.Unlock()
		}
		s.run(time.Minute)
		took := time.Since(begun)
		t.Logf("%d statuses in %s, %d at a time", len(s.written), took, s.peak)
		if took > 40*time.Second || s.peak > statusWriters {
			t.Errorf("took %s with %d at a time", took, s.peak)
		}
		if len(s.written) != n+5 || len(s.order) != n+5 {
			t.Errorf("%d of %d were written, by %d writes", len(s.written), n+5, len(s.order))
		}
	})
}

// TestStatusWhileUnavailable: a server that refuses is asked again for each status, not more often than
// statusAgain, and once it answers each is written once.
func TestStatusWhileUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		s := newStatusServer(t, n, time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.w.run(ctx) })
		defer running.Wait()
		defer cancel()
		s.unavailable = true
		s.step()
		s.run(25 * time.Second)
		s.mu.Lock()
		if got := len(s.order); got != 3*n {
			t.Errorf("%d attempts in 25 seconds, want three for each of %d", got, n)
		}
		s.unavailable = false
		s.mu.Unlock()
		s.run(time.Minute)
		for name, times := range s.written {
			if times != 1 {
				t.Errorf("%s was written %d times", name, times)
			}
		}
		if len(s.written) != n {
			t.Errorf("%d of %d were written", len(s.written), n)
		}
	})
}

// TestStatusTasks is the order in which a statusQueue gives its tasks.
func TestStatusTasks(t *testing.T) {
	q, now := newStatusQueue(), time.Now()
	named := func(name string) routing.ObjectName { return routing.ObjectName{Namespace: "n", Name: name} }
	put := func(name string, urgent bool, after time.Duration) {
		q.put(statusTask{name: named(name), urgent: urgent, due: now.Add(after)})
	}
	taken := func(at time.Duration) (names []string) {
		for {
			task, wait := q.take(now.Add(at))
			if task == nil {
				if wait <= 0 {
					t.Errorf("nothing to do for %s", wait)
				}
				return names
			}
			names = append(names, task.name.Name)
		}
	}
	put("backlog", false, 0)
	put("urgent", true, 0)
	put("newer", true, 0)
	put("later", true, time.Second)
	put("raised", false, 0)
	put("raised", true, time.Minute) // is urgent now, and keeps its time
	put("written", false, 0)
	q.drop(named("written"))
	put("gone", false, 0)
	q.forget(named("gone"))
	if got, want := taken(0), []string{"raised", "newer", "urgent", "backlog"}; !slices.Equal(got, want) {
		t.Errorf("taken %v, want %v", got, want)
	}
	put("urgent", true, 0) // another program overwrote it
	if got, want := taken(statusAgain-1), []string{"later"}; !slices.Equal(got, want) {
		t.Errorf("before it may be written again: %v, want %v", got, want)
	}
	if got, want := taken(statusAgain), []string{"urgent"}; !slices.Equal(got, want) {
		t.Errorf("then: %v, want %v", got, want)
	}
	for _, name := range []string{"backlog", "urgent", "newer", "later", "raised"} {
		q.forget(named(name))
	}
	if n := q.len() + len(q.again) + q.waiting.Len() + q.ready.Len(); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

// TestStatusOfWhatLeft: our addresses are taken out of an Ingress that is no longer ours, and nothing else
// is: neither another's addresses, nor our own ones where the Ingress never was ours, or after the object
// has changed.
func TestStatusOfWhatLeft(t *testing.T) {
	objects := fleetObjects(4)
	ours, theirs := "sluice", "somebody-elses"
	address := []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	for i := range 4 {
		ing := objects[3*i].(*networkingv1.Ingress)
		ing.Spec.IngressClassName = &ours
		ing.ResourceVersion = "7"
		ing.Status.LoadBalancer.Ingress = address
	}
	never := objects[9].(*networkingv1.Ingress)
	never.Spec.IngressClassName = &theirs
	client := fake.NewClientset(objects...)
	watched := watching(client, "ingresses")
	patched := make(chan string, 10)
	client.PrependReactor("patch", "ingresses", func(a clienttesting.Action) (bool, runtime.Object, error) {
		p := a.(clienttesting.PatchAction)
		patched <- p.GetName() + " " + string(p.GetPatch())
		if p.GetName() == fleetName(2).Name {
			return true, nil, apierrors.NewConflict(ingressResource.GroupResource(), p.GetName(), errors.New("changed"))
		}
		return false, nil, nil
	})
	_, published := clusterController(t, Config{StatusAddresses: []string{"192.0.2.1"}}, client)
	await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 6 })
	<-watched
	move := func(i int, change func(*networkingv1.Ingress)) {
		t.Helper()
		ing, err := client.NetworkingV1().Ingresses("default").Get(t.Context(), fleetName(i).Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ing = ing.DeepCopy()
		ing.Spec.IngressClassName = &theirs
		change(ing)
		if err := client.Tracker().Update(ingressResource, ing, "default"); err != nil {
			t.Fatal(err)
		}
	}
	move(1, func(ing *networkingv1.Ingress) {
		ing.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.9"}}
	})
	await(t, "one that left with another's address", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 4 })
	move(2, func(*networkingv1.Ingress) {})
	await(t, "one that changes again", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 2 })
	move(0, func(*networkingv1.Ingress) {})
	want := map[string]bool{}
	for _, i := range []int{0, 2} {
		want[fleetName(i).Name+` {"metadata":{"resourceVersion":"7"},"status":{"loadBalancer":{"ingress":null}}}`] = true
	}
	for range 2 {
		select {
		case got := <-patched:
			if !want[got] {
				t.Errorf("written %s, want one of %v", got, want)
			}
			delete(want, got)
		case <-time.After(patience):
			t.Fatalf("not written: %v", want)
		}
	}
	ing, err := client.NetworkingV1().Ingresses("default").Get(t.Context(), fleetName(0).Name, metav1.GetOptions{})
	for deadline := time.Now().Add(patience); err == nil && len(ing.Status.LoadBalancer.Ingress) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		ing, err = client.NetworkingV1().Ingresses("default").Get(t.Context(), fleetName(0).Name, metav1.GetOptions{})
	}
	if err != nil || len(ing.Status.LoadBalancer.Ingress) > 0 {
		t.Errorf("the status is %v, error %v", ing.Status.LoadBalancer, err)
	}
	if len(patched) > 0 && !strings.HasPrefix(<-patched, fleetName(2).Name) {
		t.Error("more was written")
	}
}
