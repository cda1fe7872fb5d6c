package informer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// TestCanaries makes random changes to objects of which every other one is a canary, and holds each Snapshot to a build from
// scratch, and to what no canary may do: take requests of another namespace's objects, unless ingress-nginx lets it.
func TestCanaries(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	splits, foreign := 0, 0
	for seed := range seeds {
		u := canaryUniverse{universe{rand.New(rand.NewPCG(seed, 2)), map[string][]byte{
			"a.crt": testPEM(t, "a.crt"), "a.key": testPEM(t, "a.key"), "ca.crt": testPEM(t, "ca.crt"),
		}}}
		cfg := Config{Controllers: []string{DefaultController, NginxController}}
		if seed%3 == 0 {
			cfg.HostOwnership = OwnershipNamespace
		}
		cfg, err := cfg.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(cfg)
		for _, class := range []string{"sluice", "nginx"} {
			c := &networkingv1.IngressClass{}
			c.Name, c.Spec.Controller = class, map[string]string{"sluice": DefaultController, "nginx": NginxController}[class]
			w.step(event(source.Class, routing.ObjectName{Name: class}, c))
		}
		for n := range 150 {
			var events []source.Event
			for range 1 + u.IntN(3) {
				events = append(events, u.event())
			}
			before, listed := w.snapshot, w.list()
			if next := w.step(events...); next != nil {
				checkStep(t, before, listed, next)
				own, others := checkSplits(t, next, cfg.HostOwnership)
				splits, foreign = splits+own, foreign+others
			}
			checkDiscretion(t, w.b)
			if got, want := w.show(), w.fresh().show(); got != want {
				t.Fatalf("seed %d, step %d: %v\n%s\nstep by step:\n%s", seed, n, keys(events), firstDifference(got, want), got)
			}
		}
		for key := range maps.Clone(w.objects) {
			w.step(source.Event{Key: key})
		}
		w.later()
		if got := w.show() + w.leftovers(); got != "" {
			t.Errorf("seed %d, after everything went: %s", seed, got)
		}
	}
	if splits < 4*int(seeds) || foreign < int(seeds) {
		t.Errorf("%d Splits within a namespace and %d across are too few to say anything", splits, foreign)
	}
}

// checkSplits counts the Splits of a Snapshot whose Backends are of one namespace, and those of two.
func checkSplits(t *testing.T, s *routing.Snapshot, ownership string) (own, foreign int) {
	t.Helper()
	check := func(r *routing.Route) {
		p := r.Split()
		if p == nil {
			return
		}
		main, canary := s.BackendAt(p.Shares[0].Backend), s.BackendAt(p.Shares[1].Backend)
		if len(p.Shares) != 2 || !p.Canary || main == nil || canary == nil || main != s.Backend(r) {
			t.Fatalf("Route %s%s has the Split %s", r.Host, r.Path, s.DescribeSplit(p))
		}
		if main.Key.Service == canary.Key.Service && main.Key.Namespace == canary.Key.Namespace && main.Key.Port == canary.Key.Port {
			t.Errorf("Route %s%s is its own canary", r.Host, r.Path)
		}
		if main.Protocol != canary.Protocol || (main.TLS == nil) != (canary.TLS == nil) {
			t.Errorf("Route %s%s has a canary that is spoken to in another way", r.Host, r.Path)
		}
		if main.TLS != nil && (main.TLS.Verify != canary.TLS.Verify || main.TLS.Secret != canary.TLS.Secret || main.TLS.Roots != canary.TLS.Roots) {
			t.Errorf("Route %s%s has a canary with other TLS", r.Host, r.Path)
		}
		if own++; canary.Key.Namespace == r.Source.Ingress.Namespace {
			return
		}
		own--
		if foreign++; !r.Anonymous || ownership == OwnershipNamespace {
			t.Errorf("a canary of namespace %s takes requests of Ingress %s at %s%s", canary.Key.Namespace, r.Source.Ingress, r.Host, r.Path)
		}
	}
	for h := range s.Table.Hosts() {
		for r := range h.Routes() {
			check(r)
		}
	}
	if r := s.Table.Default(); r != nil {
		check(r)
	}
	return own, foreign
}

// canaryUniverse is a universe in which canaries find something.
type canaryUniverse struct{ universe }

func (u canaryUniverse) event() source.Event {
	name := routing.ObjectName{Namespace: one(u.universe, "a", "b"), Name: one(u.universe, "x", "y", "z")}
	gone := u.IntN(5) == 0
	switch u.IntN(10) {
	case 0:
		key := keyOf(source.Service, name)
		if gone {
			return source.Event{Key: key}
		}
		return source.Event{Key: key, Object: u.service(name)}
	case 1:
		return source.Event{Key: keyOf(source.Secret, name), Object: u.secret(name)}
	case 2:
		return event(source.Slice, routing.ObjectName{Namespace: name.Namespace, Name: "s1"}, u.slice(routing.ObjectName{Namespace: name.Namespace, Name: "s1"}))
	}
	name.Name = fmt.Sprint("i", u.IntN(5))
	key := keyOf(source.Ingress, name)
	if gone {
		return source.Event{Key: key}
	}
	ing := &networkingv1.Ingress{}
	ing.Namespace, ing.Name, ing.CreationTimestamp = name.Namespace, name.Name, u.created()
	class := one(u.universe, "nginx", "nginx", "sluice")
	ing.Spec.IngressClassName = &class
	ing.Annotations = map[string]string{}
	set := func(key, value string) { ing.Annotations[annotation.NginxPrefix+key] = value }
	if u.IntN(2) == 0 {
		set("canary", "true")
		set("canary-weight", one(u.universe, "0", "10", "500"))
		set(one(u.universe, "canary-by-header", "canary-by-cookie", "load-balance", "auth-url"), one(u.universe, "x", "ewma"))
	} else if u.IntN(3) == 0 {
		set("backend-protocol", "HTTPS")
		set("proxy-ssl-secret", name.Namespace+"/"+one(u.universe, "x", "y"))
		set(one(u.universe, "proxy-ssl-verify", "use-regex", "server-alias"), one(u.universe, "on", "true", "c.test"))
	}
	if u.IntN(4) == 0 {
		ing.Spec.DefaultBackend = u.service80()
	}
	for range u.IntN(3) {
		rule := networkingv1.IngressRule{Host: one(u.universe, "a.test", "b.test", "*.test", "")}
		rule.HTTP = &networkingv1.HTTPIngressRuleValue{}
		for range 1 + u.IntN(2) {
			pathType := one(u.universe, networkingv1.PathTypeExact, networkingv1.PathTypePrefix)
			rule.HTTP.Paths = append(rule.HTTP.Paths, networkingv1.HTTPIngressPath{Path: one(u.universe, "/", "/a"), PathType: &pathType, Backend: *u.service80()})
		}
		ing.Spec.Rules = append(ing.Spec.Rules, rule)
	}
	return source.Event{Key: key, Object: ing}
}

func (u canaryUniverse) service80() *networkingv1.IngressBackend {
	return &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: one(u.universe, "x", "y", "z"), Port: networkingv1.ServiceBackendPort{Number: 80},
	}}
}
