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

// backend returns the index of a reference's Backend, or unresolved after a Rejection.
func (c *compiler) backend(field string, ref *networkingv1.IngressBackend) int32 {
	if c.settings.Policy.Closed != "" {
		// The annotation itself has the Rejection.
		return unresolved
	}
	if ref.Service == nil {
		value := ""
		if ref.Resource != nil {
			value = ref.Resource.Kind + "/" + ref.Resource.Name
		}
		c.reject(field+".resource", value, "only Services are supported as backends; the path answers 503")
		return unresolved
	}
	service := c.service(field, ref.Service.Name)
	if service == nil {
		return unresolved
	}
	port, ok := c.port(field+".service.port", service, ref.Service.Port)
	if !ok {
		return unresolved
	}
	protocol, ok := c.protocol(field, port)
	if !ok {
		return unresolved
	}
	to, serverName, ok := c.target(field, service, port)
	if !ok {
		return unresolved
	}
	if !c.settings.AutoHTTP {
		sl, ok := c.slot(to, port.Port, protocol, serverName, variant(protocol, c.settings.Balance, c.settings.TLS))
		if !ok {
			return unresolved
		}
		return sl.backend.Index
	}
	// The Backend of plain requests has the other's settings in its name, so that it always leads to the same.
	over := variant(routing.HTTPS, c.settings.Balance, c.settings.TLS)
	secure, ok := c.slot(to, port.Port, routing.HTTPS, serverName, over)
	if !ok {
		return unresolved
	}
	plain, _ := c.slot(to, port.Port, routing.HTTP, "", "auto-"+over)
	if plain.backend.Secure == 0 {
		plain.backend.Secure = secure.backend.Index + 1 // it is new, and no Snapshot has it
	}
	return plain.backend.Index
}

// slot takes a reference to the slot of a Service's port by these settings. It returns false after a Rejection.
func (c *compiler) slot(to target, port int32, protocol routing.Protocol, serverName, variant string) (*slot, bool) {
	var tls *routing.BackendTLS
	if protocol == routing.HTTPS || protocol == routing.GRPCS {
		var ok bool
		if tls, ok = c.backendTLS(serverName); !ok {
			return nil, false
		}
	}
	key := routing.BackendKey{Namespace: to.service.Namespace, Service: to.service.Name, Port: strconv.Itoa(int(port)), Variant: variant}
	resilience := c.resilience()
	if resilience != nil {
		key.Variant = strings.TrimPrefix(key.Variant+","+resilienceVariant(resilience), ",")
	}
	if to.external.name != "" && int32(to.external.port) != port {
		// An object of our own class may use the same port of the Service, and its requests go elsewhere.
		key.Variant = strings.TrimPrefix(key.Variant+",target="+strconv.Itoa(int(to.external.port)), ",")
	}
	sl := c.backends.acquire(key, to, protocol, c.settings.Balance, tls, resilience)
	c.entry.slots = append(c.entry.slots, sl)
	return sl, true
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
		return to, service.Name + "." + c.ing.Namespace + ".svc", true
	}
	to.external, ok = c.external(field, service, port)
	return to, to.external.name, ok
}

// variant tells apart the Backends of one Service port; "" for the defaults.
func variant(protocol routing.Protocol, balance routing.Balance, tls annotation.BackendTLS) string {
	var parts []string
	if protocol != routing.HTTP {
		parts = append(parts, protocol.String())
	}
	if v := tlsVariant(tls); v != "" && (protocol == routing.HTTPS || protocol == routing.GRPCS) {
		parts = append(parts, v)
	}
	if balance != routing.RoundRobin {
		parts = append(parts, balance.String())
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
func (c *compiler) protocol(field string, port corev1.ServicePort) (routing.Protocol, bool) {
	switch {
	case c.settings.Unspoken != "":
		c.reject(field, c.settings.Unspoken, "Backends that speak this protocol are not supported; the path answers 503")
		return routing.HTTP, false
	case !c.settings.ProtocolSet && c.entry.controller != NginxController:
		return protocolOf(appProtocol(port)), true
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
