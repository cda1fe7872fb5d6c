package informer

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
)

// nginxClass is what ingress-nginx accepts in the legacy annotation without an IngressClass.
const nginxClass = "nginx"

// controllerOf returns the controller of an Ingress: the spec.controller of its class, when that is
// one of ours. Otherwise the controller is "", and reason is the remedy, or empty for an Ingress of
// another controller.
func (b *builder) controllerOf(ing *networkingv1.Ingress) (controller, reason string) {
	if name := ing.Annotations[annotation.LegacyClass]; name != "" {
		if class := b.cache.classes[name]; class != nil {
			return b.ours(class), ""
		}
		return b.classlessController(name), ""
	}
	if p := ing.Spec.IngressClassName; p != nil && *p != "" {
		if class := b.cache.classes[*p]; class != nil {
			return b.ours(class), ""
		}
		if *p == b.cfg.IngressClass {
			return b.cfg.Controllers[0], ""
		}
		if b.cfg.Manifests == "" {
			// ingress-nginx serves its own name in the annotation only, without a class.
			return "", ""
		}
		if controller := b.classlessController(*p); controller != "" {
			return controller, ""
		}
		return "", "no manifest defines this IngressClass; add it, or remove the field. The object is not served"
	}
	if class := b.defaultClass(); class != nil {
		if controller := b.ours(class); controller != "" {
			return controller, ""
		}
	}
	if b.cfg.Manifests != "" {
		// An object in the gateway's own directory is meant to be served.
		return b.cfg.Controllers[0], ""
	}
	return "", ""
}

// ours returns the class's controller if it is one of ours, else "".
func (b *builder) ours(class *networkingv1.IngressClass) string {
	if slices.Contains(b.cfg.Controllers, class.Spec.Controller) {
		return class.Spec.Controller
	}
	return ""
}

// classlessController returns the controller that a class name stands for without an IngressClass.
func (b *builder) classlessController(name string) string {
	switch {
	case name == nginxClass && slices.Contains(b.cfg.Controllers, NginxController):
		return NginxController
	case name == b.cfg.IngressClass:
		return b.cfg.Controllers[0]
	}
	return ""
}

// defaultClass returns the class that an Ingress without one belongs to. Of several, the newest,
// then the first by name, as the API server's admission does.
func (b *builder) defaultClass() *networkingv1.IngressClass {
	if b.defaultClassKnown {
		return b.defaultClassCached
	}
	var best *networkingv1.IngressClass
	for _, class := range b.cache.classes {
		if !isDefaultClass(class) {
			continue
		}
		if best == nil || best.CreationTimestamp.Before(&class.CreationTimestamp) ||
			best.CreationTimestamp.Equal(&class.CreationTimestamp) && class.Name < best.Name {
			best = class
		}
	}
	b.defaultClassKnown, b.defaultClassCached = true, best
	return best
}

func isDefaultClass(class *networkingv1.IngressClass) bool {
	return class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
}

// rejectClass returns the Rejections of an IngressClass of ours.
func (b *builder) rejectClass(class *networkingv1.IngressClass) []Rejection {
	if class == nil || b.ours(class) == "" || class.Spec.Parameters == nil {
		return nil
	}
	return []Rejection{{
		Object: Object{Kind: "IngressClass", Name: class.Name},
		Field:  "spec.parameters",
		Value:  shorten(class.Spec.Parameters.Kind + "/" + class.Spec.Parameters.Name),
		Reason: "parameters are not supported and are ignored",
	}}
}

// classChanged marks the Ingresses whose controller differs after a change of class.
func (b *builder) classChanged() {
	b.defaultClassKnown = false
	for name, ing := range b.cache.ingresses {
		var was string
		if e := b.entries[name]; e != nil {
			was = e.controller
		}
		// An Ingress refused for want of its class has to lose that Rejection too.
		now, reason := b.controllerOf(ing)
		if _, refused := b.classless[name]; now != was || (reason != "") != refused {
			b.dirtyIngresses[name] = struct{}{}
		}
	}
}
