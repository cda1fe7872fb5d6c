package e2e

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// calm is how fast the loads of the functional tests ask: often enough to meet every moment of a
// change, and slow enough to leave the machine to the API server.
const (
	calmConnections = 4
	calmPause       = 500 * time.Microsecond
)

func TestIngress(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	s.web("b", startPod(t, "b"))
	// The neighbour refers to both Services all the time, so that the gateway knows them, and must
	// never notice what happens to the other.
	s.ingress("neighbour", s.host("neighbour")+" /a Prefix a:80", s.host("neighbour")+" /b Prefix b:80")
	await(t, shared.gateway, s.host("neighbour"), "/b", "200 b")

	neighbour := expect(s.host("neighbour"), "/a/x", "200 a")
	x := expect(s.host("x"), "/v1/x", "404")
	other := expect(s.host("x"), "/v2", "404")
	y := expect(s.host("x"), "/v1/y", "404", "200 a", "200 b") // until a test below changes that
	l := startLoad(calmConnections, calmPause, neighbour, x, other, y)
	defer l.stop(t, 0)

	l.change(t, x, []string{"200 a"}, nil, func() { s.ingress("x", s.host("x")+" /v1 Prefix a:80") })
	l.change(t, x, []string{"200 b"}, nil, func() { s.setRules("x", s.host("x")+" /v1 Prefix b:80") })
	l.change(t, other, []string{"200 a"}, nil, func() {
		s.setRules("x", s.host("x")+" /v1 Prefix b:80", s.host("x")+" /v2 Exact a:80")
	})
	// A second object adds to the host; taking it away leaves the first alone.
	y.allowed.Store(&[]string{"200 b"})
	l.change(t, y, []string{"200 a"}, nil, func() { s.ingress("y", s.host("x")+" /v1/y Prefix a:80") })
	l.change(t, y, []string{"200 b"}, nil, func() { s.deleteIngress("y") })
	// All paths go in one step.
	other.allowed.Store(&[]string{"200 a", "404"})
	y.allowed.Store(&[]string{"200 b", "404"})
	l.change(t, x, []string{"404"}, nil, func() { s.deleteIngress("x") })
	check(t, s.host("x"), "/v2", "404")
	y.allowed.Store(&[]string{"404", "200 a"})
	l.change(t, x, []string{"200 a"}, nil, func() { s.ingress("x", s.host("x")+" /v1 Prefix a:80") })
}

func TestService(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	s.ingress("x", s.host("x")+" / Prefix a:80", s.host("named")+" / Prefix a:http")
	await(t, shared.gateway, s.host("x"), "/", "200 a")
	x := expect(s.host("x"), "/", "200 a")
	named := expect(s.host("named"), "/", "200 a")
	l := startLoad(calmConnections, calmPause, x, named)
	defer l.stop(t, 0)

	// The number leaves, the name stays.
	l.change(t, x, []string{"503"}, nil, func() {
		s.editService("a", setPort("http", 81))
	})
	l.change(t, x, []string{"200 a"}, nil, func() {
		s.editService("a", setPort("http", 80))
	})
	named.allowed.Store(&[]string{"200 a", "503"})
	l.change(t, x, []string{"503"}, nil, func() { s.deleteService("a") })
	l.change(t, x, []string{"200 a"}, nil, func() { s.service("a", "http:80") })
	await(t, shared.gateway, s.host("named"), "/", "200 a")
}

func setPort(name string, number int32) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Ports[0].Name, s.Spec.Ports[0].Port = name, number }
}

func TestIngressClass(t *testing.T) {
	s := newSpace(t)
	classes := s.api().NetworkingV1().IngressClasses()
	own, foreign := s.name+"-own", s.name+"-foreign"
	create := func(name, controller string, annotations map[string]string) {
		t.Helper()
		_, err := classes.Create(context.Background(), &networkingv1.IngressClass{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
			Spec:       networkingv1.IngressClassSpec{Controller: controller},
		}, metav1.CreateOptions{})
		s.must("create ingressclass", err)
		t.Cleanup(func() { classes.Delete(context.Background(), name, metav1.DeleteOptions{}) })
	}
	remove := func(name string) {
		t.Helper()
		s.must("delete ingressclass", classes.Delete(context.Background(), name, metav1.DeleteOptions{}))
	}
	ingress := func(name string, class *string) {
		t.Helper()
		ing := s.newIngress(name, s.host(name)+" / Prefix a:80")
		ing.Spec.IngressClassName = class
		s.createIngress(ing)
	}

	s.web("a", startPod(t, "a"))
	s.ingress("sluice", s.host("sluice")+" / Prefix a:80")
	ingress("own", &own)
	ingress("foreign", &foreign)
	ingress("none", nil)
	// The annotation wins over whatever classes there are.
	legacy := s.newIngress("legacy", s.host("legacy")+" / Prefix a:80")
	legacy.Spec.IngressClassName = nil
	legacy.Annotations = map[string]string{"kubernetes.io/ingress.class": "sluice"}
	s.createIngress(legacy)
	await(t, shared.gateway, s.host("legacy"), "/", "200 a")

	sluice := expect(s.host("sluice"), "/", "200 a")
	ours := expect(s.host("own"), "/", "404")
	none := expect(s.host("none"), "/", "404")
	theirs := expect(s.host("foreign"), "/", "404")
	l := startLoad(calmConnections, calmPause, sluice, ours, none, theirs)
	defer l.stop(t, 0)

	create(foreign, "example.com/other", nil)
	l.change(t, ours, []string{"200 a"}, nil, func() { create(own, "sluice-gateway.io/ingress", nil) })
	l.change(t, ours, []string{"404"}, nil, func() { remove(own) })
	isDefault := map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	ours.allowed.Store(&[]string{"404", "200 a"})
	l.change(t, none, []string{"200 a"}, nil, func() { create(own, "sluice-gateway.io/ingress", isDefault) })
	await(t, shared.gateway, s.host("own"), "/", "200 a") // by its name, in the same step
	l.change(t, none, []string{"404"}, nil, func() { remove(own) })
	// A default class of another controller.
	create(own, "example.com/other", isDefault)
	check(t, s.host("none"), "/", "404")
}

// The demo of the README, with the API server in place of the folder.
func TestDemo(t *testing.T) {
	p := startPod(t, "echo", "6789")
	if err := shared.cluster.kubectl("apply", "-n", "default", "-f", root+"/deploy/demo/cluster/echo.yaml"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.cluster.kubectl("delete", "--wait=false", "-n", "default", "-f", root+"/deploy/demo/cluster/echo.yaml"); err != nil {
			t.Error(err)
		}
	})
	demo := &space{t: t, name: "default"}
	demo.slice("echo-1", "echo-server-cluster-src", []string{"http:6789"}, readyEndpoint(p))
	t.Cleanup(func() { demo.deleteSlice("echo-1") })
	await(t, shared.gateway, "test.com", "/api/v1/greet/hello?content=world", "200 echo")
	check(t, "test.com", "/api/v2/greet/hello?content=world", "404")

	// One request is under way while its Route goes.
	slow := startSlow(t, shared.gateway, p, "test.com", "/api/v1/greet")
	v1 := expect("test.com", "/api/v1/greet", "200 echo")
	v2 := expect("test.com", "/api/v2/greet", "404", "200 echo")
	l := startLoad(calmConnections, calmPause, v1, v2)
	l.change(t, v1, []string{"404"}, nil, func() {
		demo.setRules("echo", "test.com /api/v2 Prefix echo-server-cluster-src:6789")
	})
	v2.allowed.Store(&[]string{"200 echo"})
	l.stop(t, 0)
	p.unblock()
	if got, want := <-slow, p.slowBody("6789", "/api/v1/greet"); got != want {
		t.Errorf("the request that was under way got %q, want %q", got, want)
	}
	check(t, "test.com", "/api/v2/greet", "200 echo")
	check(t, "test.com", "/api/v1/greet", "404")
}
