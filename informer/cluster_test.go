package informer

import (
	"context"
	"errors"
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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
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
	c = &Controller{cfg: cfg, log: log, store: new(routing.Store), queue: source.NewQueue(),
		opts: Options{OnPublish: func(s *routing.Snapshot) { published <- s }}}
	c.builder = newBuilder(cfg, nil)
	c.builder.rejected.collect = true
	cluster := source.NewCluster(client, cfg.Namespaces, log, &c.reach)
	c.feed, c.secrets, c.configMaps = cluster, source.NewSecretWatches(cluster, c.queue), source.NewConfigMapWatches(cluster, c.queue)
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

// patience is how long a test waits for an expected event, on any machine.
const patience = time.Minute

// watching returns a channel that is closed once a resource is watched: the fake forgets what is deleted between
// a list and the watch behind it, which a real API server does not.
func watching(client *fake.Clientset, resource string) chan struct{} {
	watched := make(chan struct{})
	var once sync.Once
	client.PrependWatchReactor(resource, func(a clienttesting.Action) (bool, watch.Interface, error) {
		w, err := client.Tracker().Watch(a.GetResource(), a.GetNamespace(), a.(clienttesting.WatchActionImpl).ListOptions)
		once.Do(func() { close(watched) })
		return true, w, err
	})
	return watched
}

// await waits until ok is true of a published Snapshot.
func await(t *testing.T, what string, published chan *routing.Snapshot, ok func(*routing.Snapshot) bool) {
	t.Helper()
	deadline := time.After(patience)
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
		objects = append(objects, e.Object.(runtime.Object))
	}
	class := &networkingv1.IngressClass{}
	class.Name, class.Spec.Controller = DefaultClass, DefaultController
	class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	return append(objects, class)
}

func TestClusterSource(t *testing.T) {
	client := fake.NewClientset(fleetObjects(3)...)
	watched := watching(client, "ingresses")
	c, published := clusterController(t, Config{}, client)
	await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 6 && s.Generation == 1 })
	if !c.Synced() {
		t.Error("not synced after the first publish")
	}
	ctx := t.Context()
	slice := fleetSlice(1, "10.0.0.7").Object.(runtime.Object)
	if err := client.Tracker().Update(discoveryResource, slice, "default"); err != nil {
		t.Fatal(err)
	}
	await(t, "a changed slice", published, func(s *routing.Snapshot) bool {
		return slices.ContainsFunc(s.Backends, func(b *routing.Backend) bool { return len(b.Endpoints) == 1 })
	})
	<-watched
	if err := client.NetworkingV1().Ingresses("default").Delete(ctx, fleetName(0).Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "a deleted Ingress", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 4 })
}

// TestSecretsAreWatchedOnDemand: nothing is read without a reference; the first Snapshot has the
// Certificates of those that can be read; a watch is of one namespace and type, and ends.
func TestSecretsAreWatchedOnDemand(t *testing.T) {
	objects := fleetObjects(2)
	with := func(i int, secret string) *networkingv1.Ingress {
		ing := fleet(i + 1)[3*i].Object.(*networkingv1.Ingress)
		ing.Spec.TLS = []networkingv1.IngressTLS{{SecretName: secret}}
		return ing
	}
	objects[0] = with(0, "pair")
	client := fake.NewClientset(append(objects, testSecret(t, "pair", "a"), testSecret(t, "other", "a"))...)
	asked := make(chan string, 100)
	stopped := make(chan struct{}, 100)
	client.PrependReactor("list", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		asked <- a.GetNamespace() + " " + a.(clienttesting.ListAction).GetListRestrictions().Fields.String()
		return false, nil, nil
	})
	client.PrependWatchReactor("secrets", func(a clienttesting.Action) (bool, watch.Interface, error) {
		w, err := client.Tracker().Watch(a.GetResource(), a.GetNamespace(), a.(clienttesting.WatchActionImpl).ListOptions)
		return true, &noticedWatch{w, stopped}, err
	})
	begun := time.Now()
	c, published := clusterController(t, Config{}, client)
	await(t, "the first list", published, func(s *routing.Snapshot) bool {
		if s.Generation == 1 && len(s.Certificates) != 1 && time.Since(begun) < secretsPatience {
			t.Errorf("the first Snapshot has %d Certificates", len(s.Certificates))
		}
		return s.Table.Routes() == 4 && len(s.Certificates) == 1
	})
	if got := <-asked; got != "default type=kubernetes.io/tls" || len(asked) > 0 {
		t.Errorf("asked for %q and %d more", got, len(asked))
	}
	// The Secret was read: its fault is that it is for a.test.
	if list := c.Rejections(); len(list) != 1 || !strings.Contains(list[0].Reason, "good for no host of the object, app-00000.test") {
		t.Errorf("Rejections %v", list)
	}
	table := c.store.Load().Table

	if err := client.Tracker().Update(secretsResource, testSecret(t, "pair", "renewed"), "default"); err != nil {
		t.Fatal(err)
	}
	await(t, "a renewed Secret", published, func(s *routing.Snapshot) bool {
		if s.Table != table {
			t.Error("a Secret made a new Table")
		}
		return s.Certificates[0].NotAfter.Year() == 2121
	})
	if err := client.Tracker().Update(ingressResource, fleet(1)[0].Object.(runtime.Object), "default"); err != nil {
		t.Fatal(err)
	}
	await(t, "an Ingress without tls", published, func(s *routing.Snapshot) bool { return len(s.Certificates) == 0 })
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("the Secrets are still watched")
	}
	if err := client.Tracker().Update(ingressResource, with(0, "other"), "default"); err != nil {
		t.Fatal(err)
	}
	await(t, "another reference", published, func(s *routing.Snapshot) bool { return len(s.Certificates) == 1 })
}

// TestSecretsThatCannotBeRead: a missing right is a Rejection and delays nothing; an API server that
// does not answer delays the first Snapshot by secretsPatience at most.
func TestSecretsThatCannotBeRead(t *testing.T) {
	secured := func() []runtime.Object {
		objects := fleetObjects(1)
		objects[0].(*networkingv1.Ingress).Spec.TLS = []networkingv1.IngressTLS{{SecretName: "pair"}}
		return objects
	}
	t.Run("forbidden", func(t *testing.T) {
		client := fake.NewClientset(secured()...)
		client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(secretsResource.GroupResource(), "", errors.New("no right"))
		})
		c, published := clusterController(t, Config{}, client)
		await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 2 })
		want := `Ingress default/app-00000: spec.tls[0].secretName="pair": the gateway may not list and watch Secret default/pair; let it: ` +
			`kubectl -n default create rolebinding sluice-secrets --clusterrole=sluice-secrets --serviceaccount=sluice-system:sluice; its hosts get the default certificate`
		if list := c.Rejections(); len(list) != 1 || list[0].String() != want {
			t.Errorf("Rejections %v", list)
		}
	})
	t.Run("by name only", func(t *testing.T) {
		// The rights of a Role with resourceNames; the other namespace allows nothing, and holds nothing up.
		objects := append(secured(), testSecret(t, "pair", "a"), testSecret(t, "other", "a"))
		stranger := objects[0].DeepCopyObject().(*networkingv1.Ingress)
		stranger.Namespace = "closed"
		client := fake.NewClientset(append(objects, stranger)...)
		client.PrependReactor("list", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if a.GetNamespace() == "default" && a.(clienttesting.ListAction).GetListRestrictions().Fields.String() == "metadata.name=pair" {
				return false, nil, nil
			}
			return true, nil, apierrors.NewForbidden(secretsResource.GroupResource(), "", errors.New("no right"))
		})
		begun := time.Now()
		c, published := clusterController(t, Config{}, client)
		await(t, "the first list", published, func(s *routing.Snapshot) bool {
			if s.Generation == 1 && len(s.Certificates) != 1 && time.Since(begun) < secretsPatience {
				t.Errorf("the first Snapshot has %d Certificates", len(s.Certificates))
			}
			return s.Table.Routes() == 2 && len(s.Certificates) == 1
		})
		// The stranger has the same paths, too.
		list := slices.DeleteFunc(c.Rejections(), func(r Rejection) bool { return !strings.Contains(r.Reason, "rolebinding") })
		if len(list) != 1 || list[0].Object.Namespace != "closed" || !strings.Contains(list[0].Reason, "kubectl -n closed create") {
			t.Errorf("Rejections %v", list)
		}
		changed := testSecret(t, "pair", "renewed")
		if err := client.Tracker().Update(secretsResource, changed, "default"); err != nil {
			t.Fatal(err)
		}
		await(t, "a renewed Secret", published, func(s *routing.Snapshot) bool {
			return len(s.Certificates) == 1 && s.Certificates[0].NotAfter.Year() == 2121
		})
	})
	t.Run("silent", func(t *testing.T) {
		client := fake.NewClientset(secured()...)
		release := make(chan struct{})
		client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			<-release
			return false, nil, nil
		})
		start := time.Now()
		c, published := clusterController(t, Config{}, client)
		t.Cleanup(func() { close(release) })
		await(t, "the first list", published, func(s *routing.Snapshot) bool { return s.Table.Routes() == 2 })
		if took := time.Since(start); took < secretsPatience/2 {
			t.Errorf("published after %s, without waiting", took)
		}
		if list := c.Rejections(); len(list) != 0 {
			t.Errorf("Rejections of what may still arrive: %v", list)
		}
	})
}

func testSecret(t *testing.T, name, pair string) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{Type: corev1.SecretTypeTLS}
	s.Namespace, s.Name = "default", name
	s.Data = map[string][]byte{
		corev1.TLSCertKey:       testPEM(t, pair+".crt"),
		corev1.TLSPrivateKeyKey: testPEM(t, pair+".key"),
		"more":                  []byte("not kept"),
	}
	return s
}

// noticedWatch reports when it is stopped.
type noticedWatch struct {
	watch.Interface
	stopped chan struct{}
}

func (w *noticedWatch) Stop() {
	w.Interface.Stop()
	w.stopped <- struct{}{}
}

var (
	secretsResource = corev1.SchemeGroupVersion.WithResource("secrets")
	ingressResource = networkingv1.SchemeGroupVersion.WithResource("ingresses")
)

var discoveryResource = discoveryv1.SchemeGroupVersion.WithResource("endpointslices")

func describeEvent(o runtime.Object) string {
	e := o.(*eventsv1.Event)
	return strings.Join([]string{e.Type, e.Reason, string(e.Regarding.UID), e.Note}, " ")
}

// TestStatusFollowsThePublish: the address is written once the Snapshot that serves the object is
// live, and not again when it is there; another program's value is overwritten.
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
	deadline := time.After(patience)
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
		b.apply(keyOf(source.Service, routing.ObjectName{Namespace: "ns", Name: "gateway"}), &row.service)
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
	ing.Annotations[annotation.OwnPrefix+"no-such-thing"] = "x"
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
	case <-time.After(patience):
		t.Fatal("no Event")
	}
	change := ing.DeepCopy()
	change.Labels = map[string]string{"a": "b"}
	change.Annotations["example.com/other"] = "y"
	if _, err := client.NetworkingV1().Ingresses("default").Update(t.Context(), change, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	change = change.DeepCopy()
	change.Annotations[annotation.OwnPrefix+"another"] = "y"
	if _, err := client.NetworkingV1().Ingresses("default").Update(t.Context(), change, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-created:
		if !strings.Contains(got, "another") {
			t.Errorf("a Rejection that stays makes another Event: %s", got)
		}
	case <-time.After(patience):
		t.Fatal("no second Event")
	}
}
