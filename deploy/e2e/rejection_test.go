package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The older of two objects with the same path has it, until it goes. Ages are whole seconds.
func TestConflict(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	s.web("b", startPod(t, "b"))
	rule := s.host("x") + " /p Prefix "
	s.ingress("z-older", rule+"a:80", s.host("z")+" / Prefix a:80")
	await(t, shared.gateway, s.host("x"), "/p", "200 a")
	x := expect(s.host("x"), "/p", "200 a")
	l := startLoad(calmConnections, calmPause, x)
	defer l.stop(t, 0)
	time.Sleep(1100 * time.Millisecond)
	s.ingress("a-younger", rule+"b:80", s.host("y")+" / Prefix b:80")
	await(t, shared.gateway, s.host("y"), "/", "200 b") // it is served but for the conflict
	check(t, s.host("x"), "/p", "200 a")
	s.awaitRejection("a-younger", "spec.rules", "z-older")
	s.awaitEvent("a-younger", "z-older")
	l.change(t, x, []string{"200 b"}, nil, func() { s.deleteIngress("z-older") })
	s.awaitNoRejection("a-younger")
}

// A bad object is reported where people look, and harms no other.
func TestBadIngress(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	s.ingress("good", s.host("good")+" / Prefix a:80")
	await(t, shared.gateway, s.host("good"), "/", "200 a")
	good := expect(s.host("good"), "/", "200 a")
	l := startLoad(calmConnections, calmPause, good)
	defer l.stop(t, 0)

	resource := s.newIngress("resource", s.host("resource")+" / Prefix a:80", s.host("resource")+" /fine Prefix a:80")
	group := "example.com"
	resource.Spec.Rules[0].HTTP.Paths[0].Backend = networkingv1.IngressBackend{
		Resource: &corev1.TypedLocalObjectReference{APIGroup: &group, Kind: "Bucket", Name: "static"},
	}
	s.createIngress(resource)
	s.ingress("missing", s.host("missing")+" / Prefix nowhere:80", s.host("missing")+" /fine Prefix a:80")
	annotated := s.newIngress("annotated", s.host("annotated")+" / Prefix a:80")
	annotated.Annotations = map[string]string{"sluice-gateway.io/no-such-thing": "1", "nginx.ingress.kubernetes.io/proxy-read-timeout": "soon"}
	s.createIngress(annotated)

	for _, row := range []struct{ ingress, field, says, path, want string }{
		{"resource", "backend.resource", "only Services", "/", "503"},
		{"resource", "backend.resource", "only Services", "/fine", "200 a"},
		{"missing", "service.name", "no such Service", "/", "503"},
		{"missing", "service.name", "no such Service", "/fine", "200 a"},
		{"annotated", "sluice-gateway.io/no-such-thing", "no such annotation", "/", "200 a"},
		{"annotated", "proxy-read-timeout", "seconds", "/", "200 a"},
	} {
		await(t, shared.gateway, s.host(row.ingress), row.path, row.want)
		s.awaitRejection(row.ingress, row.field, row.says)
		s.awaitEvent(row.ingress, row.says)
	}
	if n := metric(t, shared.gateway, "sluice_rejections"); n < 4 {
		t.Errorf("sluice_rejections is %v, want at least 4", n)
	}
	// A mended object is served, and its Rejection is gone.
	s.web("nowhere", startPod(t, "nowhere"))
	await(t, shared.gateway, s.host("missing"), "/", "200 nowhere")
	s.awaitNoRejection("missing")
}

// Clients take the address in the status as the signal to send: from then on the Ingress is served.
func TestStatusFollowsServing(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	watch, err := s.api().NetworkingV1().Ingresses(s.name).Watch(context.Background(), metav1.ListOptions{})
	s.must("watch ingresses", err)
	defer watch.Stop()
	const count = 20
	for i := range count {
		s.ingress(fmt.Sprintf("x-%d", i), s.host(fmt.Sprintf("x-%d", i))+" / Prefix a:80")
	}
	seen := make(map[string]bool)
	deadline := time.After(2 * time.Minute)
	for len(seen) < count {
		select {
		case <-deadline:
			t.Fatalf("%d of %d Ingresses have an address", len(seen), count)
		case event, open := <-watch.ResultChan():
			if !open {
				t.Fatal("the watch ended")
			}
			ing, ok := event.Object.(*networkingv1.Ingress)
			if !ok || len(ing.Status.LoadBalancer.Ingress) == 0 || seen[ing.Name] {
				continue
			}
			seen[ing.Name] = true
			check(t, ing.Spec.Rules[0].Host, "/", "200 a")
			if got := ing.Status.LoadBalancer.Ingress[0].IP; got != statusAddress {
				t.Errorf("status of %s has address %q, want %q", ing.Name, got, statusAddress)
			}
		}
	}
	// Another controller's Ingress is left alone.
	foreign := s.newIngress("foreign", s.host("foreign")+" / Prefix a:80")
	class := "somebody-elses"
	foreign.Spec.IngressClassName = &class
	s.createIngress(foreign)
	s.ingress("last", s.host("last")+" / Prefix a:80")
	eventually(t, "status of the last Ingress", func() (bool, string) {
		last, err := s.api().NetworkingV1().Ingresses(s.name).Get(context.Background(), "last", metav1.GetOptions{})
		s.must("get ingress", err)
		return len(last.Status.LoadBalancer.Ingress) > 0, fmt.Sprint(last.Status)
	})
	left, err := s.api().NetworkingV1().Ingresses(s.name).Get(context.Background(), "foreign", metav1.GetOptions{})
	s.must("get ingress", err)
	if len(left.Status.LoadBalancer.Ingress) > 0 {
		t.Errorf("an Ingress of another class got the status %v", left.Status)
	}
}

// awaitRejection returns when the admin API has a Rejection of the Ingress whose field and reason
// contain these texts.
func (s *space) awaitRejection(ingress, field, says string) {
	s.t.Helper()
	eventually(s.t, "rejection of "+ingress+": "+field+": "+says, func() (bool, string) {
		list := s.rejectionsOf(ingress)
		return slices.ContainsFunc(list, func(r rejection) bool {
			return strings.Contains(r.Field, field) && strings.Contains(r.Reason, says)
		}), fmt.Sprint(list)
	})
}

func (s *space) awaitNoRejection(ingress string) {
	s.t.Helper()
	eventually(s.t, "no rejection of "+ingress, func() (bool, string) {
		list := s.rejectionsOf(ingress)
		return len(list) == 0, fmt.Sprint(list)
	})
}

func (s *space) rejectionsOf(ingress string) []rejection {
	s.t.Helper()
	list, err := shared.gateway.rejections()
	s.must("read rejections", err)
	return slices.DeleteFunc(list, func(r rejection) bool {
		return r.Kind != "Ingress" || r.Namespace != s.name || r.Name != ingress
	})
}

// awaitEvent returns when there is a warning about the Ingress whose note contains the text.
func (s *space) awaitEvent(ingress, says string) {
	s.t.Helper()
	eventually(s.t, "event about "+ingress+": "+says, func() (bool, string) {
		list, err := s.api().EventsV1().Events(s.name).List(context.Background(), metav1.ListOptions{})
		s.must("list events", err)
		var notes []string
		for _, e := range list.Items {
			if e.Regarding.Kind != "Ingress" || e.Regarding.Name != ingress || e.Type != corev1.EventTypeWarning {
				continue
			}
			if strings.Contains(e.Note, says) {
				return true, ""
			}
			notes = append(notes, e.Note)
		}
		return false, fmt.Sprintf("%q", notes)
	})
}
