package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// spec.ingressClassName with our own name is served whether there is an IngressClass of that name or not,
// and a class of ours that is deleted and created again, the only way to change one, loses no request.
func TestClassReplaced(t *testing.T) {
	s := newSpace(t)
	classes := s.api().NetworkingV1().IngressClasses()
	const own = "sluice"
	before, err := classes.Get(context.Background(), own, metav1.GetOptions{})
	s.must("get ingressclass", err)
	create := func(name string) {
		t.Helper()
		_, err := classes.Create(context.Background(), &networkingv1.IngressClass{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: before.Labels, Annotations: before.Annotations}, Spec: before.Spec,
		}, metav1.CreateOptions{})
		s.must("create ingressclass", err)
	}
	remove := func(name string) {
		t.Helper()
		s.must("delete ingressclass", classes.Delete(context.Background(), name, metav1.DeleteOptions{}))
	}
	edge := s.name + "-edge"
	create(edge)
	t.Cleanup(func() { classes.Delete(context.Background(), edge, metav1.DeleteOptions{}) })
	t.Cleanup(func() {
		if _, err := classes.Get(context.Background(), own, metav1.GetOptions{}); err != nil {
			create(own)
		}
	})

	s.web("a", startPod(t, "a"))
	s.ingress("own", s.host("own")+" / Prefix a:80")
	named := s.newIngress("edge", s.host("edge")+" / Prefix a:80")
	named.Spec.IngressClassName = &edge
	s.createIngress(named)
	await(t, shared.gateway, s.host("own"), "/", "200 a")
	await(t, shared.gateway, s.host("edge"), "/", "200 a")
	l := startLoad(calmConnections, calmPause, expect(s.host("own"), "/", "200 a"), expect(s.host("edge"), "/", "200 a"))
	for range 5 {
		remove(own)
		remove(edge)
		// The gateway has seen both when it serves what was written after them.
		marker := fmt.Sprintf("marker-%d", time.Now().UnixNano())
		s.ingress(marker, s.host(marker)+" / Prefix a:80")
		await(t, shared.gateway, s.host(marker), "/", "200 a")
		create(own)
		create(edge)
		l.more(t, 100)
	}
	// Our own name without an object, for longer than a class that was deleted counts.
	remove(own)
	time.Sleep(11 * time.Second)
	l.more(t, 100)
	create(own)
	l.stop(t, 0)

	// A class of another name that stays away counts no more, and takes the address with it.
	s.awaitAddress("edge", true)
	remove(edge)
	await(t, shared.gateway, s.host("edge"), "/", "404")
	s.awaitAddress("edge", false)
	s.awaitAddress("own", true)
}

// An Ingress that is no longer ours does not keep our address, unless another program has written
// another one there.
func TestStatusOfWhatIsNotOurs(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	s.ingress("moved", s.host("moved")+" / Prefix a:80")
	s.ingress("taken", s.host("taken")+" / Prefix a:80")
	s.awaitAddress("moved", true)
	s.awaitAddress("taken", true)
	other := "somebody-elses"
	s.editIngress("taken", func(ing *networkingv1.Ingress) { ing.Spec.IngressClassName = &other })
	ing, err := s.api().NetworkingV1().Ingresses(s.name).Get(context.Background(), "taken", metav1.GetOptions{})
	s.must("get ingress", err)
	ing.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.99"}}
	if _, err := s.api().NetworkingV1().Ingresses(s.name).UpdateStatus(context.Background(), ing, metav1.UpdateOptions{}); err != nil && !apierrors.IsConflict(err) {
		s.must("update status", err)
	} else if err != nil {
		// Ours was taken away before; the other controller writes again, as it would.
		ing, err = s.api().NetworkingV1().Ingresses(s.name).Get(context.Background(), "taken", metav1.GetOptions{})
		s.must("get ingress", err)
		ing.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.99"}}
		_, err = s.api().NetworkingV1().Ingresses(s.name).UpdateStatus(context.Background(), ing, metav1.UpdateOptions{})
		s.must("update status", err)
	}
	s.editIngress("moved", func(ing *networkingv1.Ingress) { ing.Spec.IngressClassName = &other })
	await(t, shared.gateway, s.host("moved"), "/", "404")
	s.awaitAddress("moved", false)

	ing, err = s.api().NetworkingV1().Ingresses(s.name).Get(context.Background(), "taken", metav1.GetOptions{})
	s.must("get ingress", err)
	if list := ing.Status.LoadBalancer.Ingress; len(list) != 1 || list[0].IP != "192.0.2.99" {
		t.Errorf("the other controller's address is now %v", list)
	}

	// The Ingress comes back, and the address too.
	own := "sluice"
	s.editIngress("moved", func(ing *networkingv1.Ingress) { ing.Spec.IngressClassName = &own })
	s.awaitAddress("moved", true)
}

// awaitAddress returns when an Ingress has the gateway's address, or none.
func (s *space) awaitAddress(name string, want bool) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("status of %s with an address: %v", name, want), func() (bool, string) {
		ing, err := s.api().NetworkingV1().Ingresses(s.name).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		list := ing.Status.LoadBalancer.Ingress
		return want == (len(list) == 1 && list[0].IP == statusAddress) && want == (len(list) > 0), fmt.Sprint(list)
	})
}
