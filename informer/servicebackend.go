package informer

import (
	"net/netip"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
)

// unresolved is the Backend of a Route that answers 503.
const unresolved = -1

// reference is a reference to a Service's port, resolved: all of a Backend that is not said by the object's annotations.
type reference struct {
	namespace, service string
	port               int32
	to                 target
	// appProtocol is the port's, and serverName the name that certificates have unless an annotation says another.
	appProtocol, serverName string
}

// reference resolves a reference. ok is false after a Rejection.
func (c *compiler) reference(field string, ref *networkingv1.IngressBackend) (r reference, ok bool) {
	if ref.Service == nil {
		value := ""
		if ref.Resource != nil {
			value = ref.Resource.Kind + "/" + ref.Resource.Name
		}
		c.reject(field+".resource", value, "only Services are supported as backends; the path answers 503")
		return r, false
	}
	service := c.service(field, ref.Service.Name)
	if service == nil {
		return r, false
	}
	port, ok := c.port(field+".service.port", service, ref.Service.Port)
	if !ok {
		return r, false
	}
	r = reference{namespace: c.ing.Namespace, service: service.Name, port: port.Port, appProtocol: appProtocol(port)}
	r.to, r.serverName, ok = c.target(field, service, port)
	return r, ok
}

// backend returns the index of a reference's Backend, or unresolved after a Rejection.
func (c *compiler) backend(field string, ref *networkingv1.IngressBackend) int32 {
	if c.settings.Policy.Closed != "" {
		// The annotation itself has the Rejection.
		return unresolved
	}
	r, ok := c.reference(field, ref)
	if !ok {
		return unresolved
	}
	protocol, ok := c.protocol(field, r.appProtocol)
	if !ok {
		return unresolved
	}
	speech := speech{protocol: protocol, balance: c.settings.Balance, resilience: c.resilience()}
	if protocol == routing.HTTPS || protocol == routing.GRPCS {
		if speech.tls, ok = c.backendTLS(); !ok {
			return unresolved
		}
	}
	if c.settings.AutoHTTP {
		return c.autoBackend(r, speech)
	}
	sl := c.backends.acquire(r.key(speech), r.to, speech, r.serverName)
	c.entry.slots = append(c.entry.slots, sl)
	c.balances(r)
	return sl.backend.Index
}

// autoBackend is backend for AUTO_HTTP: it returns the Backend of plain requests, which leads to the other. It has the other's
// settings in its name, so that it always leads to the same.
func (c *compiler) autoBackend(r reference, plain speech) int32 {
	over := plain
	over.protocol = routing.HTTPS
	var ok bool
	if over.tls, ok = c.backendTLS(); !ok {
		return unresolved
	}
	plain.auto = over.tls
	secure := c.backends.acquire(r.key(over), r.to, over, r.serverName)
	sl := c.backends.acquire(r.key(plain), r.to, plain, "")
	c.entry.slots = append(c.entry.slots, secure, sl)
	if sl.backend.Secure == 0 {
		sl.backend.Secure = secure.backend.Index + 1 // it is new, and no Snapshot has it
	}
	return sl.backend.Index
}

// speech is how a Backend is spoken to and balanced, whichever its Service.
type speech struct {
	protocol routing.Protocol
	balance  routing.Balance
	tls      *endpointTLS // nil for protocols without
	// auto is TLS of the Backend for requests that came over TLS; nil where there is no other.
	auto       *endpointTLS
	resilience *routing.Resilience
}

// key returns the key of the Backend that a reference leads to.
func (r reference) key(s speech) routing.BackendKey {
	key := routing.BackendKey{Namespace: r.namespace, Service: r.service, Port: strconv.Itoa(int(r.port)), Variant: s.variant()}
	if r.to.cluster.IsValid() {
		key.Variant = strings.TrimPrefix(key.Variant+",cluster", ",")
	}
	if r.to.external.name != "" && int32(r.to.external.port) != r.port {
		// An object of our own class may use the same port of the Service, and its requests go elsewhere.
		key.Variant = strings.TrimPrefix(key.Variant+",target="+strconv.Itoa(int(r.to.external.port)), ",")
	}
	return key
}

// service finds the Service that a reference names, or returns nil after a Rejection.
func (c *compiler) service(field, named string) *corev1.Service {
	name := routing.ObjectName{Namespace: c.ing.Namespace, Name: named}
	c.entry.services[name] = struct{}{}
	service := c.services[name]
	if service == nil {
		c.reject(field+".service.name", named, "no such Service in namespace "+name.Namespace+"; the path answers 503")
	}
	return service
}

// target decides where the Endpoints of a Service's port come from, and the name that their certificates have to have
// unless an annotation says another.
func (c *compiler) target(field string, service *corev1.Service, port corev1.ServicePort) (to target, serverName string, ok bool) {
	to.service = routing.ObjectName{Namespace: c.ing.Namespace, Name: service.Name}
	if service.Spec.Type != corev1.ServiceTypeExternalName {
		to.port = port.Name
		if c.settings.ServiceUpstream == annotation.Yes {
			if addr, err := netip.ParseAddr(service.Spec.ClusterIP); err == nil {
				to.cluster = netip.AddrPortFrom(addr.Unmap(), uint16(port.Port))
			} else {
				c.reject(field+".service.name", service.Name, "that Service has no cluster address for service-upstream; requests go to its Pods")
			}
		}
		return to, service.Name + "." + c.ing.Namespace + ".svc", true
	}
	to.external, ok = c.external(field, service, port)
	return to, to.external.name, ok
}

// variant tells apart the Backends of one Service port; "" for the defaults.
func (s speech) variant() string {
	var parts []string
	tls := s.tls
	if s.protocol != routing.HTTP {
		parts = append(parts, s.protocol.String())
	} else if s.auto != nil {
		parts, tls = append(parts, "auto-"+routing.HTTPS.String()), s.auto
	}
	if tls != nil && tls.variant != "" {
		parts = append(parts, tls.variant)
	}
	if s.balance != routing.RoundRobin {
		parts = append(parts, s.balance.String())
	}
	if s.resilience != nil {
		parts = append(parts, resilienceVariant(s.resilience))
	}
	return strings.Join(parts, ",")
}

// refers reports whether a reference is to a port. In ingress-nginx the targetPort is a name of it too.
func (c *compiler) refers(ref networkingv1.ServiceBackendPort, p corev1.ServicePort) bool {
	if ref.Name != "" && p.Name == ref.Name || ref.Name == "" && p.Port == ref.Number {
		return true
	}
	if c.entry.controller != NginxController {
		return false
	}
	if ref.Name != "" {
		return p.TargetPort.Type == intstr.String && p.TargetPort.StrVal == ref.Name
	}
	return p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal == ref.Number && ref.Number != 0
}

// port finds the Service's port that a reference names or numbers. A Service of type ExternalName
// need not list its ports: a number stands for itself there.
func (c *compiler) port(field string, service *corev1.Service, ref networkingv1.ServiceBackendPort) (corev1.ServicePort, bool) {
	udp := false
	for _, p := range service.Spec.Ports {
		if !c.refers(ref, p) {
			continue
		}
		if !isTCP(&p.Protocol) {
			udp = true
			continue
		}
		if validPort(p.Port) {
			return p, true
		}
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName && ref.Name == "" && validPort(ref.Number) {
		return corev1.ServicePort{Port: ref.Number}, true
	}
	value := ref.Name
	if value == "" {
		field, value = field+".number", strconv.Itoa(int(ref.Number))
	} else {
		field += ".name"
	}
	reason := "Service " + service.Namespace + "/" + service.Name + " has no such port; it has " + portList(service) + "; the path answers 503"
	if udp {
		reason = "this port of Service " + service.Namespace + "/" + service.Name + " is not TCP; the path answers 503"
	}
	c.reject(field, value, reason)
	return corev1.ServicePort{}, false
}

// protocol decides the protocol of a Backend: the annotation, else the Service port's appProtocol,
// which ingress-nginx does not read.
func (c *compiler) protocol(field, appProtocol string) (routing.Protocol, bool) {
	switch {
	case c.settings.Unspoken != "":
		c.reject(field, c.settings.Unspoken, "Backends that speak this protocol are not supported; the path answers 503")
		return routing.HTTP, false
	case !c.settings.ProtocolSet && c.entry.controller != NginxController:
		return protocolOf(appProtocol), true
	}
	return c.settings.Protocol, true
}

func appProtocol(p corev1.ServicePort) string { return stringOr(p.AppProtocol) }

// protocolOf reads an appProtocol. One that is not about HTTP is ignored: it may be right for
// another use of the port, and the Ingress declares this use to be HTTP.
func protocolOf(appProtocol string) routing.Protocol {
	switch strings.ToLower(appProtocol) {
	case "https", "kubernetes.io/wss":
		return routing.HTTPS
	case "kubernetes.io/h2c", "h2c":
		return routing.H2C
	case "grpc":
		return routing.GRPC
	case "grpcs":
		return routing.GRPCS
	}
	return routing.HTTP
}

func (c *compiler) external(field string, service *corev1.Service, port corev1.ServicePort) (external, bool) {
	name := strings.TrimSuffix(service.Spec.ExternalName, ".")
	if c.noExternalNames {
		c.reject(field+".service.name", service.Name,
			"that Service is of type ExternalName, and kubernetes.external_names is false; the path answers 503")
		return external{}, false
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if what := c.backends.screen.refuses(addr); what != "" {
			c.reject(field+".service.name", service.Name,
				"spec.externalName of that Service is "+addr.String()+" ("+what+"), which no Endpoint may have; the path answers 503"+allowedKey)
			return external{}, false
		}
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		c.reject(field+".service.name", service.Name,
			"spec.externalName of that Service is no DNS name; the path answers 503")
		return external{}, false
	}
	to := port.Port
	if c.entry.controller == NginxController && port.TargetPort != (intstr.IntOrString{}) {
		// ingress-nginx connects to the targetPort, which the API server sets to the port where it is left
		// out. The API gives it no meaning for such a Service, so that objects of our own class do not.
		if to = int32(port.TargetPort.IntValue()); !validPort(to) {
			c.reject(field+".service.port", port.TargetPort.String(),
				"targetPort of that Service has to be a number, because a Service of type ExternalName has no Pods that name one; the path answers 503")
			return external{}, false
		}
	}
	return external{name, uint16(to)}, true
}
