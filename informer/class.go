package informer

import (
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// nginxClass is the value that ingress-nginx accepts in the legacy annotation without an IngressClass.
const nginxClass = "nginx"

// classSet holds the IngressClasses, and decides whose an Ingress is. A step is: apply for every event,
// which returns the Rejections of the class, then affected, which returns the Ingresses to compile again.
// Owned by the builder's goroutine, but without the builder: arguments and results are values.
type classSet struct {
	cfg *Config

	byName map[string]*networkingv1.IngressClass
	// leaving has the deleted classes that still count, with the time when they cease to; see classGrace.
	leaving map[string]time.Time
	// changed is set while affected has not looked at the last changes.
	changed bool

	// Valid until the next change:
	defaultKnown  bool
	defaultCached *networkingv1.IngressClass
}

func newClassSet(cfg *Config) classSet {
	return classSet{cfg: cfg, byName: make(map[string]*networkingv1.IngressClass), leaving: make(map[string]time.Time)}
}

// apply stores the new state of a class, nil when it is gone, and returns its Rejections.
func (s *classSet) apply(name string, next *networkingv1.IngressClass, now time.Time) []Rejection {
	if old, now := s.put(name, next, now); !sameClass(old, now) {
		s.changed = true
	}
	return s.reject(next)
}

// affected returns the Ingresses whose controller, or whose refusal for want of a class, differs from what was
// says, after a change of classes or when a deleted one ceases to count.
func (s *classSet) affected(now time.Time, ingresses map[routing.ObjectName]*networkingv1.Ingress,
	was func(routing.ObjectName) (controller string, refused bool)) (names []routing.ObjectName) {
	s.endGraces(now)
	if !s.changed {
		return nil
	}
	s.changed, s.defaultKnown = false, false
	for name, ing := range ingresses {
		controller, reason := s.controllerOf(ing)
		// An Ingress refused for want of its class has to lose that Rejection too.
		if old, refused := was(name); controller != old || (reason != "") != refused {
			names = append(names, name)
		}
	}
	return names
}

// controllerOf returns the controller of an Ingress: the spec.controller of its class, when that is
// one of ours. Otherwise the controller is "", and reason is the remedy, or empty for an Ingress of
// another controller.
func (s *classSet) controllerOf(ing *networkingv1.Ingress) (controller, reason string) {
	if name := ing.Annotations[annotation.LegacyClass]; name != "" {
		if class := s.byName[name]; class != nil {
			return s.ours(class), ""
		}
		return s.classlessController(name), ""
	}
	if p := ing.Spec.IngressClassName; p != nil && *p != "" {
		if class := s.byName[*p]; class != nil {
			return s.ours(class), ""
		}
		if *p == s.cfg.IngressClass {
			return s.cfg.Controllers[0], ""
		}
		if s.cfg.Manifests == "" {
			// ingress-nginx serves its own name in the annotation only, without a class.
			return "", ""
		}
		if controller := s.classlessController(*p); controller != "" {
			return controller, ""
		}
		return "", "no manifest defines this IngressClass; add it, or remove the field. The object is not served"
	}
	if class := s.defaultClass(); class != nil {
		if controller := s.ours(class); controller != "" {
			return controller, ""
		}
	}
	if s.cfg.Manifests != "" {
		// An object in the gateway's own directory is meant to be served.
		return s.cfg.Controllers[0], ""
	}
	return "", ""
}

// ours returns the class's controller if it is one of ours, else "".
func (s *classSet) ours(class *networkingv1.IngressClass) string {
	if slices.Contains(s.cfg.Controllers, class.Spec.Controller) {
		return class.Spec.Controller
	}
	return ""
}

// classlessController returns the controller that a class name stands for without an IngressClass.
func (s *classSet) classlessController(name string) string {
	switch {
	case name == nginxClass && slices.Contains(s.cfg.Controllers, NginxController):
		return NginxController
	case name == s.cfg.IngressClass:
		return s.cfg.Controllers[0]
	}
	return ""
}

// defaultClass returns the class that an Ingress without one belongs to. Of several, the newest,
// then the first by name, as the API server's admission does.
func (s *classSet) defaultClass() *networkingv1.IngressClass {
	if s.defaultKnown {
		return s.defaultCached
	}
	var best *networkingv1.IngressClass
	for _, class := range s.byName {
		if !isDefaultClass(class) {
			continue
		}
		if best == nil || best.CreationTimestamp.Before(&class.CreationTimestamp) ||
			best.CreationTimestamp.Equal(&class.CreationTimestamp) && class.Name < best.Name {
			best = class
		}
	}
	s.defaultKnown, s.defaultCached = true, best
	return best
}

func isDefaultClass(class *networkingv1.IngressClass) bool {
	return class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
}

// reject returns the Rejections of an IngressClass of ours.
func (s *classSet) reject(class *networkingv1.IngressClass) []Rejection {
	if class == nil || s.ours(class) == "" || class.Spec.Parameters == nil {
		return nil
	}
	return []Rejection{{
		Object: Object{Kind: "IngressClass", Name: class.Name},
		Field:  "spec.parameters",
		Value:  plain.Short(class.Spec.Parameters.Kind + "/" + class.Spec.Parameters.Name),
		Reason: "parameters are not supported and are ignored",
	}}
}
