package informer

import (
	"slices"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// TestClassSet: what a change of classes does to Ingresses, without a builder.
func TestClassSet(t *testing.T) {
	cfg, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := newClassSet(&cfg)
	now := time.Unix(1e9, 0)
	class := func(name, controller string, byDefault bool) *networkingv1.IngressClass {
		c := &networkingv1.IngressClass{}
		c.Name, c.Spec.Controller = name, controller
		if byDefault {
			c.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
		}
		return c
	}
	ingresses := map[routing.ObjectName]*networkingv1.Ingress{}
	for name, class := range map[string]string{"edge": "edge", "ours": DefaultClass, "none": ""} {
		ing := &networkingv1.Ingress{}
		if class != "" {
			ing.Spec.IngressClassName = &class
		}
		ingresses[routing.ObjectName{Name: name}] = ing
	}
	was := map[routing.ObjectName]string{}
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, name := range s.affected(now, ingresses, func(name routing.ObjectName) (string, bool) { return was[name], false }) {
			got = append(got, name.Name)
			was[name], _ = s.controllerOf(ingresses[name])
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: affected %v, want %v", what, got, want)
		}
	}
	for name, ing := range ingresses {
		was[name], _ = s.controllerOf(ing)
	}
	expect("no class")
	s.apply("edge", class("edge", DefaultController, false), now)
	expect("a class of ours", "edge")
	s.apply("edge", class("edge", DefaultController, false), now)
	expect("the same again")
	s.apply("edge", class("edge", DefaultController, true), now)
	expect("by default", "none")
	s.apply(DefaultClass, class(DefaultClass, "others", false), now)
	expect("a class of another controller", "ours")

	s.apply("edge", nil, now)
	expect("a class that is deleted")
	if next := s.next(); !next.Equal(now.Add(classGrace)) {
		t.Errorf("it counts until %v", next)
	}
	now = now.Add(classGrace - 1)
	expect("just before its end")
	now = now.Add(1)
	expect("its end", "edge", "none")
	if !s.next().IsZero() {
		t.Errorf("something ends at %v", s.next())
	}

	odd := class("odd", DefaultController, false)
	odd.Spec.Parameters = &networkingv1.IngressClassParametersReference{Kind: "P", Name: "p"}
	if got := s.apply("odd", odd, now); len(got) != 1 || got[0].String() != `IngressClass odd: spec.parameters="P/p": parameters are not supported and are ignored` {
		t.Errorf("Rejections %v", got)
	}
	if got := s.apply("odd", nil, now); got != nil {
		t.Errorf("Rejections of a class that is gone: %v", got)
	}
	odd.Spec.Controller = "others"
	if got := s.apply("odd", odd, now); got != nil {
		t.Errorf("Rejections of a class of others: %v", got)
	}
}
