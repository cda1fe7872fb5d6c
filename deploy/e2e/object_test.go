package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// space is a namespace of one test, and the objects in it. Its methods end the test on an error; they
// return once the API server has answered.
type space struct {
	t    *testing.T
	name string
}

var spaces atomic.Int64

// newSpace makes a namespace. It is left behind: nothing here could finish its deletion. Its Ingresses
// are removed when the test ends, so that its hosts are free and its Rejections gone.
func newSpace(t *testing.T) *space {
	t.Helper()
	s := &space{t: t, name: fmt.Sprintf("e2e-%d", spaces.Add(1))}
	_, err := s.api().CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}}, metav1.CreateOptions{})
	s.must("create namespace", err)
	t.Cleanup(func() {
		for {
			err := s.api().NetworkingV1().Ingresses(s.name).DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})
			if apierrors.IsResourceExpired(err) {
				// There are so many that the list it works by is compacted away meanwhile. What is deleted is.
				continue
			}
			s.must("delete ingresses", err)
			return
		}
	})
	return s
}

// api is asked for at each use: a restart of the control plane replaces it.
func (s *space) api() *kubernetes.Clientset { return shared.cluster.client }

func (s *space) must(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s in %s: %v", what, s.name, err)
	}
}

// host returns a host name that no other test has.
func (s *space) host(label string) string { return label + "." + s.name + ".test" }

func (s *space) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.name, Name: name}
}

// service makes a Service with ports written "name:number", where the name may be empty.
func (s *space) service(name string, ports ...string) {
	s.t.Helper()
	service := &corev1.Service{ObjectMeta: s.meta(name)}
	for _, port := range ports {
		label, number, _ := strings.Cut(port, ":")
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: label, Port: s.number(number)})
	}
	_, err := s.api().CoreV1().Services(s.name).Create(context.Background(), service, metav1.CreateOptions{})
	s.must("create service", err)
}

// externalName makes a Service that stands for a DNS name.
func (s *space) externalName(name, dns string) {
	s.t.Helper()
	service := &corev1.Service{ObjectMeta: s.meta(name), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: dns}}
	_, err := s.api().CoreV1().Services(s.name).Create(context.Background(), service, metav1.CreateOptions{})
	s.must("create service", err)
}

// deleteService removes a Service.
func (s *space) deleteService(name string) {
	s.t.Helper()
	s.must("delete service", s.api().CoreV1().Services(s.name).Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// editService changes a Service.
func (s *space) editService(name string, edit func(*corev1.Service)) {
	s.t.Helper()
	services := s.api().CoreV1().Services(s.name)
	service, err := services.Get(context.Background(), name, metav1.GetOptions{})
	s.must("get service", err)
	edit(service)
	_, err = services.Update(context.Background(), service, metav1.UpdateOptions{})
	s.must("update service", err)
}

// endpoint is an element of a slice, with conditions as the endpoint controller would write them.
func endpoint(p *pod, ready, serving, terminating bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{p.address},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
	}
}

func readyEndpoint(p *pod) discoveryv1.Endpoint       { return endpoint(p, true, true, false) }
func unreadyEndpoint(p *pod) discoveryv1.Endpoint     { return endpoint(p, false, false, false) }
func terminatingEndpoint(p *pod) discoveryv1.Endpoint { return endpoint(p, false, true, true) }

func readyEndpoints(pods ...*pod) (list []discoveryv1.Endpoint) {
	for _, p := range pods {
		list = append(list, readyEndpoint(p))
	}
	return list
}

// slice makes an EndpointSlice of a Service with ports written as for service; the numbers are the
// Pods'.
func (s *space) slice(name, service string, ports []string, endpoints ...discoveryv1.Endpoint) {
	s.t.Helper()
	slice := &discoveryv1.EndpointSlice{ObjectMeta: s.meta(name), AddressType: discoveryv1.AddressTypeIPv4, Endpoints: endpoints}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	if len(endpoints) > 0 && strings.Contains(endpoints[0].Addresses[0], ":") {
		slice.AddressType = discoveryv1.AddressTypeIPv6
	}
	for _, port := range ports {
		label, digits, _ := strings.Cut(port, ":")
		number := s.number(digits)
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &label, Port: &number})
	}
	_, err := s.api().DiscoveryV1().EndpointSlices(s.name).Create(context.Background(), slice, metav1.CreateOptions{})
	s.must("create endpointslice", err)
}

// setEndpoints replaces the Endpoints of a slice.
func (s *space) setEndpoints(name string, endpoints ...discoveryv1.Endpoint) {
	s.t.Helper()
	slices := s.api().DiscoveryV1().EndpointSlices(s.name)
	slice, err := slices.Get(context.Background(), name, metav1.GetOptions{})
	s.must("get endpointslice", err)
	slice.Endpoints = endpoints
	_, err = slices.Update(context.Background(), slice, metav1.UpdateOptions{})
	s.must("update endpointslice", err)
}

func (s *space) deleteSlice(name string) {
	s.t.Helper()
	s.must("delete endpointslice", s.api().DiscoveryV1().EndpointSlices(s.name).Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// web makes a Service "name" with port 80 and a slice of the same name with these Pods.
func (s *space) web(name string, pods ...*pod) {
	s.t.Helper()
	s.service(name, "http:80")
	s.slice(name, name, []string{"http:" + podPort}, readyEndpoints(pods...)...)
}

// ingress makes an Ingress of the class "sluice" with rules written "host path type service:port".
func (s *space) ingress(name string, rules ...string) {
	s.t.Helper()
	s.createIngress(s.newIngress(name, rules...))
}

func (s *space) createIngress(ing *networkingv1.Ingress) {
	s.t.Helper()
	_, err := s.api().NetworkingV1().Ingresses(s.name).Create(context.Background(), ing, metav1.CreateOptions{})
	s.must("create ingress", err)
}

func (s *space) newIngress(name string, rules ...string) *networkingv1.Ingress {
	s.t.Helper()
	class := "sluice"
	ing := &networkingv1.Ingress{ObjectMeta: s.meta(name)}
	ing.Spec.IngressClassName = &class
	ing.Spec.Rules = s.rules(rules...)
	return ing
}

func (s *space) rules(lines ...string) (rules []networkingv1.IngressRule) {
	s.t.Helper()
	for _, line := range lines {
		var host, path, pathType, backend string
		if _, err := fmt.Sscan(line, &host, &path, &pathType, &backend); err != nil {
			s.t.Fatalf("rule %q: %v", line, err)
		}
		service, port, _ := strings.Cut(backend, ":")
		typed := networkingv1.PathType(pathType)
		ref := &networkingv1.IngressServiceBackend{Name: service}
		if number, err := strconv.ParseInt(port, 10, 32); err == nil {
			ref.Port.Number = int32(number)
		} else {
			ref.Port.Name = port
		}
		rules = append(rules, networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: path, PathType: &typed, Backend: networkingv1.IngressBackend{Service: ref},
			}}},
		}})
	}
	return rules
}

// secureIngress is newIngress with one host over TLS.
func (s *space) secureIngress(name, secret, host, backend string) *networkingv1.Ingress {
	s.t.Helper()
	ing := s.newIngress(name, host+" / Prefix "+backend)
	ing.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: secret}}
	return ing
}

func (s *space) secret(name string, kind corev1.SecretType, data map[string][]byte) {
	s.t.Helper()
	_, err := s.api().CoreV1().Secrets(s.name).Create(context.Background(), &corev1.Secret{ObjectMeta: s.meta(name), Type: kind, Data: data}, metav1.CreateOptions{})
	s.must("create secret", err)
}

func (s *space) setSecret(name string, data map[string][]byte) {
	s.t.Helper()
	_, err := s.api().CoreV1().Secrets(s.name).Update(context.Background(), &corev1.Secret{ObjectMeta: s.meta(name), Type: corev1.SecretTypeTLS, Data: data}, metav1.UpdateOptions{})
	s.must("update secret", err)
}

func (s *space) deleteSecret(name string) {
	s.t.Helper()
	s.must("delete secret", s.api().CoreV1().Secrets(s.name).Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// editIngress changes an Ingress. The gateway writes its status meanwhile, so a conflict is tried
// again.
func (s *space) editIngress(name string, edit func(*networkingv1.Ingress)) {
	s.t.Helper()
	ingresses := s.api().NetworkingV1().Ingresses(s.name)
	for {
		ing, err := ingresses.Get(context.Background(), name, metav1.GetOptions{})
		s.must("get ingress", err)
		edit(ing)
		_, err = ingresses.Update(context.Background(), ing, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			continue
		}
		s.must("update ingress", err)
		return
	}
}

// setRules replaces the rules of an Ingress.
func (s *space) setRules(name string, rules ...string) {
	s.t.Helper()
	s.editIngress(name, func(ing *networkingv1.Ingress) { ing.Spec.Rules = s.rules(rules...) })
}

func (s *space) deleteIngress(name string) {
	s.t.Helper()
	s.must("delete ingress", s.api().NetworkingV1().Ingresses(s.name).Delete(context.Background(), name, metav1.DeleteOptions{}))
}

func (s *space) number(digits string) int32 {
	s.t.Helper()
	n, err := strconv.ParseInt(digits, 10, 32)
	s.must("read port number", err)
	return int32(n)
}
