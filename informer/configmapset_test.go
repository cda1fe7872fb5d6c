package informer

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

var configMapsResource = corev1.SchemeGroupVersion.WithResource("configmaps")

func configMap(namespace, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data}
}

// takenOverFleet are objects of which the first Ingress is taken over from ingress-nginx.
func takenOverFleet() []runtime.Object {
	objects := fleetObjects(1)
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "nginx"}, Spec: networkingv1.IngressClassSpec{Controller: NginxController}}
	name := class.Name
	objects[0].(*networkingv1.Ingress).Spec.IngressClassName = &name
	return append(objects, class)
}

// sendTimeout returns the limit that the Routes of a Snapshot have from defaults, seconds; 0 for none.
func sendTimeout(s *routing.Snapshot) int64 {
	for _, line := range strings.Split(dump(s), "\n") {
		if rest, ok := strings.CutPrefix(line, "  send timeout "); ok {
			return int64(rest[0] - '0')
		}
	}
	return 0
}

func dump(s *routing.Snapshot) string {
	var b strings.Builder
	if err := s.Dump(&b); err != nil {
		panic("BUG: " + err.Error())
	}
	return b.String()
}

// TestConfigMapIsWatchedByName: of ConfigMaps those alone are read that are named, nothing is published before the one of the
// configuration is here, and changes count.
func TestConfigMapIsWatchedByName(t *testing.T) {
	client := fake.NewClientset(append(takenOverFleet(), configMap("ingress-nginx", "other", map[string]string{"proxy-send-timeout": "9"}))...)
	asked := make(chan string, 100)
	client.PrependReactor("list", "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
		asked <- a.GetNamespace() + " " + a.(clienttesting.ListAction).GetListRestrictions().Fields.String()
		return false, nil, nil
	})
	watched := watching(client, "configmaps")
	c, published := clusterController(t, Config{Controllers: []string{DefaultController, NginxController}, NginxConfigMap: "ingress-nginx/controller"}, client)
	<-watched
	if got := <-asked; got != "ingress-nginx metadata.name=controller" {
		t.Errorf("asked for %s", got)
	}
	eventuallyIs(t, "what is missing is told", func() bool {
		return slices.ContainsFunc(c.Rejections(), func(r Rejection) bool {
			return r.Object.String() == "ConfigMap ingress-nginx/controller" && strings.Contains(r.Reason, "there is no such ConfigMap")
		})
	})
	if c.Synced() || !c.Waits() {
		t.Error("something is served that the ConfigMap may forbid")
	}
	if err := client.Tracker().Create(configMapsResource, configMap("ingress-nginx", "controller", map[string]string{"proxy-send-timeout": "5"}), "ingress-nginx"); err != nil {
		t.Fatal(err)
	}
	await(t, "the ConfigMap", published, func(s *routing.Snapshot) bool { return sendTimeout(s) == 5 && s.Generation == 1 })
	if !c.Synced() || c.Waits() || len(c.Rejections()) != 0 {
		t.Errorf("waits: %v, Rejections %v", c.Waits(), c.Rejections())
	}
	if err := client.Tracker().Update(configMapsResource, configMap("ingress-nginx", "controller", map[string]string{"proxy-send-timeout": "6"}), "ingress-nginx"); err != nil {
		t.Fatal(err)
	}
	await(t, "its change", published, func(s *routing.Snapshot) bool { return sendTimeout(s) == 6 })
	if err := client.Tracker().Delete(configMapsResource, "ingress-nginx", "controller"); err != nil {
		t.Fatal(err)
	}
	eventuallyIs(t, "that it is gone is told", func() bool {
		return slices.ContainsFunc(c.Rejections(), func(r Rejection) bool { return strings.HasPrefix(r.Reason, "it is gone; ") })
	})
	if got := sendTimeout(c.store.Load()); got != 6 {
		t.Errorf("what it said is not in force: %d", got)
	}
}

// TestConfigMapThatCannotBeRead: a missing right is told with what grants it, and nothing is served.
func TestConfigMapThatCannotBeRead(t *testing.T) {
	client := fake.NewClientset(takenOverFleet()...)
	client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(configMapsResource.GroupResource(), "", errors.New("no right"))
	})
	c, _ := clusterController(t, Config{Controllers: []string{DefaultController, NginxController}, NginxConfigMap: "ingress-nginx/controller"}, client)
	eventuallyIs(t, "the missing right is told", func() bool {
		return slices.ContainsFunc(c.Rejections(), func(r Rejection) bool {
			return strings.Contains(r.Reason, "kubectl -n ingress-nginx create role sluice-configmap --verb=get,list,watch --resource=configmaps --resource-name=controller")
		})
	})
	if c.Synced() || c.store.Load() != nil {
		t.Error("something is served that the ConfigMap may forbid")
	}
}

// eventuallyIs waits for a condition.
func eventuallyIs(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not so: %s", what)
		case <-look.C:
		}
	}
}

// TestConfigMapIsChosen: the configuration may name another ConfigMap while the gateway runs, or none; what the gateway itself is
// told changes with it, and before the Snapshot.
func TestConfigMapIsChosen(t *testing.T) {
	var laid []string
	var c *Controller
	configured := 0
	c = newTestController(t, Options{OnConfigure: func(assignments []string) {
		laid = assignments
		if configured++; configured == 1 && c.store.Load() != nil {
			t.Error("a Snapshot is live before the gateway is configured")
		}
	}})
	c.queue.Push(
		event(source.ConfigMap, routing.ObjectName{Namespace: "a", Name: "one"}, configMap("a", "one", map[string]string{"keep-alive": "5", "ssl-protocols": "TLSv1.3"})),
		event(source.ConfigMap, routing.ObjectName{Namespace: "a", Name: "two"}, configMap("a", "two", map[string]string{"keep-alive": "6"})),
	)
	for _, row := range []struct{ choose, want string }{
		{"a/one", "timeouts.idle=5s tls.protocols=TLSv1.3"},
		{"a/two", "timeouts.idle=6s"},
		{"a/two", "timeouts.idle=6s"},
		{"a/three", "timeouts.idle=6s"}, // which is not there: nothing is given up for it
		{"a/one", "timeouts.idle=5s tls.protocols=TLSv1.3"},
		{"", ""},
	} {
		c.ChooseConfigMap(row.choose)
		c.step()
		if got := strings.Join(laid, " "); got != row.want {
			t.Errorf("%q: the gateway is told %q, want %q", row.choose, got, row.want)
		}
		if told := len(c.Rejections()) > 0; told != (row.choose == "a/three") {
			t.Errorf("%q: Rejections %v", row.choose, c.Rejections())
		}
	}
	if configured != 4 {
		t.Errorf("the gateway was configured %d times", configured)
	}
}

// TestSettingsThatAreRefused: what the gateway's configuration does not take is told, and not laid over it.
func TestSettingsThatAreRefused(t *testing.T) {
	b := newBuilder(Config{Manifests: "x", NginxConfigMap: "a/b", CheckSetting: func(assignment string) error {
		if assignment == "tls.protocols=SSLv3" {
			return errors.New("tls.protocols: SSLv3 is not known")
		}
		return nil
	}}, nil)
	b.apply(keyOf(source.ConfigMap, routing.ObjectName{Namespace: "a", Name: "b"}), configMap("a", "b", map[string]string{"ssl-protocols": "SSLv3", "keep-alive": "5"}))
	b.build()
	want := `ConfigMap a/b: data[ssl-protocols]="SSLv3": tls.protocols: SSLv3 is not known; the gateway's own value is kept`
	if list := b.rejected.all(); len(list) != 1 || list[0].String() != want {
		t.Errorf("Rejections %v", list)
	}
	if got := b.configs.gateway(); !slices.Equal(got, []string{"timeouts.idle=5s"}) {
		t.Errorf("the gateway has %q", got)
	}
}
