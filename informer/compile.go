package informer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
)

// entry is one Ingress, compiled. Immutable once the builder has it.
type entry struct {
	// controller is the spec.controller of its class; NginxController means takeover.
	controller string
	source     *routing.Source
	// hosts has one element per name, sorted. One without Routes claims the name, so that no less
	// specific Host answers for it.
	hosts []hostRoutes
	// fallback is the Route of spec.defaultBackend in an object without rules.
	fallback *routing.Route
	// clientAuth is what the object requires of the clients of its hosts; nil for nothing.
	clientAuth *routing.ClientAuth
	// closesHosts is true where clientAuth cannot be carried out, which closes the hosts for every
	// other object too. authWaits is true while the only cause is a Secret that may still arrive.
	closesHosts, authWaits bool
	// passthrough is true when the object asks for TLS connections to be passed on.
	passthrough bool
	// ciphers are the suites that the object sets for its hosts.
	ciphers annotation.Ciphers
	// slots has one reference per resolved backend of the object.
	slots []*slot
	// services are those the object refers to, whether they exist or not.
	services map[routing.ObjectName]struct{}
	// tls are the object's tls sections that name a Secret.
	tls []tlsSection
	// credentials are the Secrets that its annotations name, whether they exist or not.
	credentials map[routing.ObjectName]struct{}
}

type hostRoutes struct {
	name   string
	routes []routing.Route
}

// routesOf returns the Routes of one Host.
func (e *entry) routesOf(host string) []routing.Route {
	i, ok := slices.BinarySearchFunc(e.hosts, host, func(h hostRoutes, name string) int {
		return strings.Compare(h.name, name)
	})
	if !ok {
		return nil
	}
	return e.hosts[i].routes
}

// same reports whether e and o make the same Routes, so that the Hosts of e can stay.
func (e *entry) same(o *entry) bool {
	sameRoute := func(a, b routing.Route) bool {
		a.Source, b.Source = nil, nil
		return a == b
	}
	return e.source.Created == o.source.Created && e.closesHosts == o.closesHosts && e.authWaits == o.authWaits &&
		e.clientAuth.Equal(o.clientAuth) && e.passthrough == o.passthrough && e.ciphers == o.ciphers &&
		e.source.Policy.Equal(o.source.Policy) &&
		(e.fallback == nil) == (o.fallback == nil) &&
		(e.fallback == nil || sameRoute(*e.fallback, *o.fallback)) &&
		slices.EqualFunc(e.hosts, o.hosts, func(a, b hostRoutes) bool {
			return a.name == b.name && slices.EqualFunc(a.routes, b.routes, sameRoute)
		})
}

// compare sorts entries by the precedence in conflicts.
func (e *entry) compare(o *entry) int {
	return e.source.Compare(o.source)
}

// compiler makes the entry of one Ingress.
//
// Order of decisions for a path: the host must be valid, or the rule is left out; the path and its
// type must be valid, or the path is left out; then the path has a Route, and any fault of its
// backend or of the object's security annotations makes that Route answer 503, because a claimed
// path must not be served by another object without its owner's knowledge.
//
// spec.defaultBackend: in an object without rules it serves what no Host matches; in one with rules
// it serves what no path matches on the hosts that the rules name, and nothing else. ingress-nginx
// does the same. A rule without http sends its whole host there.
type compiler struct {
	b        *builder
	ing      *networkingv1.Ingress
	settings annotation.Settings
	entry    *entry
	position map[string]int // of a name in entry.hosts, until they are sorted
	// tlsReported is true once the Secret of TLS Backends has its Rejection.
	tlsReported bool
	rejections  []Rejection
}

func (b *builder) compile(ing *networkingv1.Ingress, controller string) (*entry, []Rejection) {
	c := &compiler{b: b, ing: ing, position: make(map[string]int), entry: &entry{
		controller: controller,
		source: &routing.Source{
			Ingress: routing.ObjectName{Namespace: ing.Namespace, Name: ing.Name},
		},
		services: make(map[routing.ObjectName]struct{}),
	}}
	if !ing.CreationTimestamp.IsZero() {
		c.entry.source.Created = ing.CreationTimestamp.Unix()
	}
	c.settings = annotation.Parse(ing.Annotations, func(name, value, reason string) {
		c.reject(annotationField(name), value, reason)
	})
	c.entry.closesHosts = c.settings.ClosesHosts
	c.entry.passthrough, c.entry.ciphers = c.settings.Passthrough, c.settings.Ciphers
	c.clientAuth()
	if p := c.settings.Policy; !p.Empty() {
		c.entry.source.Policy = &p
	}
	if c.settings.Canary {
		return c.entry, c.rejections
	}
	for i := range ing.Spec.Rules {
		c.rule(fmt.Sprintf("spec.rules[%d]", i), &ing.Spec.Rules[i])
	}
	c.defaultBackend()
	slices.SortFunc(c.entry.hosts, func(a, b hostRoutes) int { return strings.Compare(a.name, b.name) })
	c.tls()
	return c.entry, c.rejections
}

func (c *compiler) reject(field, value, reason string) {
	c.rejections = append(c.rejections, rejectIngress(c.entry.source, field, value, reason))
}

func rejectIngress(s *routing.Source, field, value, reason string) Rejection {
	return Rejection{
		Object: Object{Kind: "Ingress", Namespace: s.Ingress.Namespace, Name: s.Ingress.Name},
		Field:  field, Value: shorten(value), Reason: reason,
	}
}

func (c *compiler) rule(field string, rule *networkingv1.IngressRule) {
	name, ok := hostName(rule.Host)
	if !ok {
		c.reject(field+".host", rule.Host,
			"want a DNS name, or \"*.\" and a DNS name, and no address or port; the rule is left out")
		return
	}
	c.host(name)
	if rule.HTTP == nil || len(rule.HTTP.Paths) == 0 {
		if c.ing.Spec.DefaultBackend == nil {
			c.reject(field+".http", "", "the rule has no paths and the object no defaultBackend, so that it leads nowhere; what no other object serves on its host answers 404")
		}
		return
	}
	for i := range rule.HTTP.Paths {
		p := &rule.HTTP.Paths[i]
		at := fmt.Sprintf("%s.http.paths[%d]", field, i)
		pathType, path, ok := c.path(at, p)
		if !ok {
			continue
		}
		// Looked up again: c.entry.hosts may have moved.
		h := c.host(name)
		h.routes = append(h.routes, routing.Route{
			Host: name, Path: path, Type: pathType, Anonymous: c.entry.controller == NginxController,
			Backend: c.backend(at+".backend", &p.Backend), Source: c.entry.source,
		})
	}
}

// host returns the element of entry.hosts for a name, which it adds at need. Valid until the next call.
func (c *compiler) host(name string) *hostRoutes {
	i, ok := c.position[name]
	if !ok {
		i = len(c.entry.hosts)
		c.position[name] = i
		c.entry.hosts = append(c.entry.hosts, hostRoutes{name: name})
	}
	return &c.entry.hosts[i]
}

func (c *compiler) defaultBackend() {
	backend := c.ing.Spec.DefaultBackend
	if backend == nil {
		return
	}
	// Resolved once, for one Rejection and one reference whatever the number of hosts.
	route := routing.Route{
		Path: "/", Type: routing.Prefix, Default: true, Anonymous: c.entry.controller == NginxController,
		Backend: c.backend("spec.defaultBackend", backend), Source: c.entry.source,
	}
	if len(c.ing.Spec.Rules) == 0 {
		c.entry.fallback = &route
		return
	}
	for i := range c.entry.hosts {
		h := &c.entry.hosts[i]
		route.Host = h.name
		h.routes = append(h.routes, route)
	}
}

// path validates what the API server would, and what manifests can still get wrong.
func (c *compiler) path(field string, p *networkingv1.HTTPIngressPath) (t routing.PathType, path string, ok bool) {
	if p.PathType == nil {
		c.reject(field+".pathType", "", "it is required: Exact, Prefix or ImplementationSpecific; the path is left out")
		return 0, "", false
	}
	switch *p.PathType {
	case networkingv1.PathTypeExact:
		t = routing.Exact
	case networkingv1.PathTypePrefix:
		t = routing.Prefix
	case networkingv1.PathTypeImplementationSpecific:
		t = routing.ImplementationSpecific
	default:
		c.reject(field+".pathType", string(*p.PathType), "want Exact, Prefix or ImplementationSpecific; the path is left out")
		return 0, "", false
	}
	path = p.Path
	if path == "" && t == routing.ImplementationSpecific {
		path = "/"
	}
	written := path
	path, err := routing.ParsePath(written)
	if err != nil {
		c.reject(field+".path", written, err.Error()+"; the path is left out")
		return 0, "", false
	}
	// The API server refuses these too; a path that it admits is normalised as requests are.
	if t != routing.ImplementationSpecific {
		for _, bad := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(written, bad) {
				c.reject(field+".path", written, "\""+bad+"\" cannot match, because requests are normalised before; the path is left out")
				return 0, "", false
			}
		}
		if strings.HasSuffix(written, "/..") || strings.HasSuffix(written, "/.") {
			c.reject(field+".path", written, "a last segment of dots cannot match, because requests are normalised before; the path is left out")
			return 0, "", false
		}
	}
	return t, path, true
}

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
	name := routing.ObjectName{Namespace: c.ing.Namespace, Name: ref.Service.Name}
	c.entry.services[name] = struct{}{}
	service := c.b.cache.services[name]
	if service == nil {
		c.reject(field+".service.name", ref.Service.Name, "no such Service in namespace "+name.Namespace+"; the path answers 503")
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
	t := target{service: name, port: port.Name}
	serverName := name.Name + "." + name.Namespace + ".svc"
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		external, ok := c.external(field, service, port)
		if !ok {
			return unresolved
		}
		t = target{service: name, external: external}
		serverName = external.name
	}
	var tls *routing.BackendTLS
	if protocol == routing.HTTPS || protocol == routing.GRPCS {
		if tls, ok = c.backendTLS(serverName); !ok {
			return unresolved
		}
	}
	key := routing.BackendKey{
		Namespace: name.Namespace, Service: name.Name,
		Port: strconv.Itoa(int(port.Port)), Variant: variant(protocol, c.settings.Balance, c.settings.TLS),
	}
	if t.external.name != "" && int32(t.external.port) != port.Port {
		// An object of our own class may use the same port of the Service, and its requests go elsewhere.
		key.Variant = strings.TrimPrefix(key.Variant+",target="+strconv.Itoa(int(t.external.port)), ",")
	}
	sl := c.b.backends.acquire(key, t, protocol, c.settings.Balance, tls)
	c.entry.slots = append(c.entry.slots, sl)
	return sl.backend.Index
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

// port finds the Service's port that a reference names or numbers. A Service of type ExternalName
// need not list its ports: a number stands for itself there.
func (c *compiler) port(field string, service *corev1.Service, ref networkingv1.ServiceBackendPort) (corev1.ServicePort, bool) {
	udp := false
	for _, p := range service.Spec.Ports {
		if ref.Name != "" && p.Name != ref.Name || ref.Name == "" && p.Port != ref.Number {
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
	if c.b.cfg.NoExternalNames {
		c.reject(field+".service.name", service.Name,
			"that Service is of type ExternalName, and kubernetes.external_names is false; the path answers 503")
		return external{}, false
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if what := c.b.backends.screen.refuses(addr); what != "" {
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

// hostName returns a rule's host in the form that Hosts have. Case is not significant; a trailing
// dot is not allowed, as in the API.
func hostName(host string) (string, bool) {
	if host == "" {
		return "", true
	}
	name := strings.ToLower(host)
	if strings.HasPrefix(name, "*.") {
		return name, len(validation.IsWildcardDNS1123Subdomain(name)) == 0
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", false
	}
	return name, len(validation.IsDNS1123Subdomain(name)) == 0
}
