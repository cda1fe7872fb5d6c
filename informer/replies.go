package informer

import (
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// replies decides, before there are Routes, what becomes of the object's responses.
func (c *compiler) replies() {
	p := &c.settings.Policy
	p.StrictTransport = c.settings.Transport.Field(c.entry.controller == NginxController)
	if c.settings.Transport.Detailed && p.StrictTransport == "" {
		c.rejectPresent("it has no effect without hsts: true", "hsts-max-age", "hsts-include-subdomains", "hsts-preload")
	}
	if l, ok := p.Filter(policy.KindLocation).(*policy.Location); ok && l.To == "" {
		p.Remove(policy.KindLocation)
		c.rejectPresent("it has no effect without proxy-redirect-to", "proxy-redirect-from")
	}
	c.errorBackend()
}

// errorBackend decides which Backend answers instead of the object's errors. One that cannot be
// reached is none, as in ingress-nginx: errors that it was to answer are then answered 404.
func (c *compiler) errorBackend() {
	if c.settings.DefaultBackend == "" || c.settings.Policy.Closed != "" {
		return
	}
	by, reason := c.errorSlot(c.settings.DefaultBackend)
	if reason != "" {
		c.reject(c.annotationName("default-backend"), c.settings.DefaultBackend, reason+"; nobody answers instead")
		return
	}
	c.entry.slots = append(c.entry.slots, by)
	ref := policy.BackendRef{Index: by.backend.Index, Name: by.backend.Key.String()}
	c.settings.Policy.Set(&policy.Fallback{By: ref})
	if set, ok := c.settings.Policy.Filter(policy.KindErrors).(*policy.Errors); ok {
		errors := *set
		errors.By = ref
		c.settings.Policy.Set(&errors)
	}
}

// rejectPresent rejects those of the annotations that the object has.
func (c *compiler) rejectPresent(reason string, keys ...string) {
	for _, key := range keys {
		name := annotation.Name(c.ing.Annotations, key)
		if value, ok := c.ing.Annotations[name]; ok {
			c.reject(annotationField(name), value, reason)
		}
	}
}

// errorSlot takes a reference to the slot of a Service's first port, or returns why there is none.
func (c *compiler) errorSlot(named string) (sl *slot, reason string) {
	name := routing.ObjectName{Namespace: c.ing.Namespace, Name: named}
	c.entry.services[name] = struct{}{}
	service := c.services[name]
	switch {
	case service == nil:
		return nil, "no such Service in namespace " + name.Namespace
	case len(service.Spec.Ports) == 0 || !validPort(service.Spec.Ports[0].Port):
		return nil, "that Service has no port"
	case !isTCP(&service.Spec.Ports[0].Protocol):
		return nil, "the first port of that Service is not TCP"
	}
	port := service.Spec.Ports[0]
	how := speech{protocol: routing.HTTP, balance: routing.RoundRobin}
	if c.entry.controller != NginxController {
		how.protocol = protocolOf(appProtocol(port))
	}
	if how.protocol != routing.HTTP && how.protocol != routing.H2C {
		return nil, "the first port of that Service speaks " + how.protocol.String() + " and not plain HTTP"
	}
	r := reference{namespace: name.Namespace, service: name.Name, port: port.Port}
	told := len(c.rejections)
	var ok bool
	if r.to, _, ok = c.target("", service, port); !ok {
		// Of a Service of type ExternalName: the reason is the same, and what comes of it is not.
		reason, _, _ = strings.Cut(c.rejections[told].Reason, "; the path answers 503")
		c.rejections = c.rejections[:told]
		return nil, reason
	}
	return c.backends.acquire(r.key(how), r.to, how, ""), ""
}
