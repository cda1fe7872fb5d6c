package informer

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sluice-gateway/sluice/routing"
)

// clusterController runs a Controller on client-go's fake of an API server. What a real one does
// (restarts, 410, admission) is tested against a real one, elsewhere.
func clusterController(t *testing.T, cfg Config, client *fake.Clientset) (c *Controller, published chan *routing.Snapshot) {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	published = make(chan *routing.Snapshot, 100)
	log := slog.New(slog.DiscardHandler)
	c = &Controller{cfg: cfg, log: log, store: new(routing.Store), queue: newQueue(),
		opts: Options{OnPublish: func(s *routing.Snapshot) { published <- s }}}
	c.builder = newBuilder(cfg, nil)
	c.builder.rejected.collect = true
	c.source = &cluster{cfg: &c.cfg, log: log, stats: &c.stats, client: client}
	c.events = newEventWriter(client, log)
	c.status = newStatusWriter(&c.cfg, client, log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c, published
}

// await waits until ok is true of a published Snapshot.
func await(t *testing.T, what string, published chan *routing.Snapshot, ok func(*routing.Snapshot) bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case s := <-published:
			if ok(s) {
				return
			}
		case <-deadline:
			t.Fatalf("%s: not published", what)
		}
	}
}

func fleetObjects(n int) (objects []runtime.Object) {
	for _, e := range fleet(n) {
		objects = append(objects, e.object.(runtime.Object))
	}
	class := &networkingv1.IngressClass{}
	class.Name, class.Spec.Controller = DefaultClass, DefaultController
	class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	return append(objects, class)
}

func TestClusterSource(t *testing.T) {
	client := fake.NewClientset(fleetObjects(3)...)
	c, published := clusterController(t, Config{}, client)
	await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 6 && s.Generation == 1 })
	if !c.Synced() {
		t.Error("not synced after the first publish")
	}
	ctx := t.Context()
	slice := fleetSlice(1, "10.0.0.7").object.(runtime.Object)
	if err := client.Tracker().Update(discoveryResource, slice, "default"); err != nil {
		t.Fatal(err)
	}
	await(t, "a changed slice", published, func(s *routing.Snapshot) bool {
		return slices.ContainsFunc(s.Backends, func(b *routing.Backend) bool { return len(b.Endpoints) == 1 })
	})
	if err := client.NetworkingV1().Ingresses("default").Delete(ctx, fleetName(0).Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "a deleted Ingress", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 4 })
}

var discoveryResource = discoveryv1.SchemeGroupVersion.WithResource("endpointslices")

func describeEvent(o runtime.Object) string {
	e := o.(*eventsv1.Event)
	return strings.Join([]string{e.Type, e.Reason, string(e.Regarding.UID), e.Note}, " ")
}

// TestStatusFollowsThePublish: the address is written once the Snapshot that serves the object is
// live, and not again when it is there; what somebody else writes is put right.
func TestStatusFollowsThePublish(t *testing.T) {
	client := fake.NewClientset(fleetObjects(2)...)
	var mu sync.Mutex
	patched := map[string]int{}
	var c *Controller
	early := false
	client.PrependReactor("patch", "ingresses", func(a clienttesting.Action) (bool, runtime.Object, error) {
		p := a.(clienttesting.PatchAction)
		mu.Lock()
		defer mu.Unlock()
		patched[p.GetSubresource()+" "+p.GetName()+" "+string(p.GetPatch())]++
		early = early || c.store.Load() == nil
		return false, nil, nil
	})
	mu.Lock()
	c, published := clusterController(t, Config{StatusAddresses: []string{"lb.example.com", "192.0.2.1"}}, client)
	mu.Unlock()
	await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 4 })

	const want = `{"status":{"loadBalancer":{"ingress":[{"hostname":"lb.example.com"},{"ip":"192.0.2.1"}]}}}`
	watch, err := client.NetworkingV1().Ingresses("default").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	deadline := time.After(10 * time.Second)
	for {
		list, err := client.NetworkingV1().Ingresses("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(list.Items, func(i networkingv1.Ingress) bool { return len(i.Status.LoadBalancer.Ingress) != 2 }) {
			break
		}
		select {
		case <-watch.ResultChan():
		case <-deadline:
			t.Fatal("statuses not written")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if early {
		t.Error("a status was written before a Snapshot was live")
	}
	for i := range 2 {
		if n := patched["status "+fleetName(i).Name+" "+want]; n != 1 {
			t.Errorf("%s: written %d times; all patches: %v", fleetName(i).Name, n, patched)
		}
	}
}

// TestStatusAddresses: what publish_service stands for.
func TestStatusAddresses(t *testing.T) {
	rows := []struct {
		name    string
		service corev1.Service
		want    string
	}{
		{"balancer that has no address yet", corev1.Service{Spec: corev1.ServiceSpec{Type: "LoadBalancer", ClusterIPs: []string{"10.96.0.1"}}}, ""},
		{"balancer", corev1.Service{
			Spec: corev1.ServiceSpec{Type: "LoadBalancer", ExternalIPs: []string{"192.0.2.9", "192.0.2.1"}},
			Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{
				Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}, {Hostname: "lb.test"}}}},
		}, "lb.test 192.0.2.1 192.0.2.9"},
		{"node port", corev1.Service{Spec: corev1.ServiceSpec{Type: "NodePort", ClusterIPs: []string{"10.96.0.1", "fd00::1"}}}, "10.96.0.1 fd00::1"},
		{"headless", corev1.Service{Spec: corev1.ServiceSpec{ClusterIPs: []string{"None"}}}, ""},
		{"name", corev1.Service{Spec: corev1.ServiceSpec{Type: "ExternalName", ExternalName: "a.test"}}, "a.test"},
	}
	for _, row := range rows {
		b := newBuilder(Config{}, nil)
		w := newStatusWriter(&Config{PublishService: "ns/gateway"}, nil, nil)
		if got := w.current(b); got != nil {
			t.Errorf("no Service: %v", got)
		}
		b.apply(objectKey{kindService, routing.ObjectName{Namespace: "ns", Name: "gateway"}}, &row.service)
		var got []string
		for _, a := range w.current(b) {
			got = append(got, a.Hostname+a.IP)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %v, want %s", row.name, got, row.want)
		}
	}
}

// TestRejectionsBecomeEvents: one Event per Rejection of an object, found by its UID.
func TestRejectionsBecomeEvents(t *testing.T) {
	objects := fleetObjects(1)
	ing := objects[0].(*networkingv1.Ingress)
	ing.UID = "uid-1"
	ing.Annotations[ownPrefix+"no-such-thing"] = "x"
	client := fake.NewClientset(objects...)
	created := make(chan string, 10)
	client.PrependReactor("create", "events", func(a clienttesting.Action) (bool, runtime.Object, error) {
		created <- describeEvent(a.(clienttesting.CreateAction).GetObject())
		return false, nil, nil
	})
	_, published := clusterController(t, Config{}, client)
	await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 2 })
	select {
	case got := <-created:
		want := `Warning Rejected uid-1 Ingress default/app-00000: metadata.annotations[sluice-gateway.io/no-such-thing]="x": no such annotation is supported; it has no effect`
		if got != want {
			t.Errorf("Event %s\nwant %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no Event")
	}
	change := ing.DeepCopy()
	change.Labels = map[string]string{"a": "b"}
	change.Annotations["example.com/other"] = "y"
	if _, err := client.NetworkingV1().Ingresses("default").Update(t.Context(), change, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	change = change.DeepCopy()
	change.Annotations[ownPrefix+"another"] = "y"
	if _, err := client.NetworkingV1().Ingresses("default").Update(t.Context(), change, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-created:
		if !strings.Contains(got, "another") {
			t.Errorf("a Rejection that stays makes another Event: %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no second Event")
	}
}
