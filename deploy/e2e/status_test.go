package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A gateway that starts in a cluster of many Ingresses without a status writes each once, at a rate that
// has 10,000 written within a minute; meanwhile what comes anew is served and has its status before the
// most of them. E2E_STATUSES is how many there are, 1,500 when unset.
func TestManyStatuses(t *testing.T) {
	n := 1500
	if text := os.Getenv("E2E_STATUSES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("E2E_STATUSES: %v", err)
		}
	}
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	ingresses := s.api().NetworkingV1().Ingresses(s.name)
	// A class of its own, without a controller yet, so that no gateway has written anything.
	class := s.name + "-many"
	s.many(n, func(s *space, i int) {
		ing := s.newIngress(fmt.Sprintf("x-%d", i), fmt.Sprintf("%s / Prefix a:80", s.host(fmt.Sprintf("x-%d", i))))
		ing.Spec.IngressClassName = &class
		s.createIngress(ing)
	})
	watch, err := ingresses.Watch(context.Background(), metav1.ListOptions{})
	s.must("watch ingresses", err)
	defer watch.Stop()
	const late = "late"
	written := make(map[string]int)
	before := -1 // how many had a status when the late one got its
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range watch.ResultChan() {
			ing, ok := e.Object.(*networkingv1.Ingress)
			if !ok || len(ing.Status.LoadBalancer.Ingress) == 0 {
				continue
			}
			written[ing.Name]++
			if ing.Name == late && before < 0 {
				before = len(written)
			}
			if len(written) == n+1 {
				return
			}
		}
	}()

	begun := time.Now()
	classes := s.api().NetworkingV1().IngressClasses()
	_, err = classes.Create(context.Background(), &networkingv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: class}, Spec: networkingv1.IngressClassSpec{Controller: "sluice-gateway.io/ingress"},
	}, metav1.CreateOptions{})
	s.must("create ingressclass", err)
	t.Cleanup(func() { classes.Delete(context.Background(), class, metav1.DeleteOptions{}) })
	await(t, shared.gateway, s.host("x-0"), "/", "200 a")
	called := time.Now()
	s.ingress(late, s.host(late)+" / Prefix a:80")
	await(t, shared.gateway, s.host(late), "/", "200 a")
	served := time.Since(called)
	s.awaitAddress(late, true)
	t.Logf("one that came meanwhile was served after %s and had its status after %s", round(served), round(time.Since(called)))
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		watch.Stop()
		<-done
		t.Fatalf("%d of %d Ingresses have a status", len(written), n+1)
	}
	took := time.Since(begun)
	t.Logf("%d statuses in %s, %.0f a second; %d were written before the late one's", len(written), round(took), float64(len(written))/took.Seconds(), before)
	for name, times := range written {
		if times > 1 {
			t.Errorf("%s was written %d times", name, times)
		}
	}
	if before > n/2+1 {
		t.Errorf("the late one's status was number %d of %d", before, n+1)
	}
}
