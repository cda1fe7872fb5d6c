package informer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing"
)

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
	// What an entry is made of beside the object:
	services        map[routing.ObjectName]*corev1.Service
	backends        *backendSet
	secrets         *secret.Set
	annotations     *annotation.Table
	noExternalNames bool
	countsTogether  bool
	defaults        *annotation.Defaults
	configs         *configMapSet

	// Of the present object:
	ing      *networkingv1.Ingress
	settings annotation.Settings
	position map[string]int // of a name in entry.hosts, until they are sorted
	// leftOut is true for an object that is left out as a whole, as ingress-nginx would, or its ConfigMap.
	leftOut bool
	// tlsReported is true once the Secret of TLS Backends has its Rejection.
	tlsReported bool
	compiled
}

// compiled is what a compiler makes of an Ingress. The zero value is that of no Ingress.
type compiled struct {
	entry      *entry
	references secret.References
	rejections []Rejection
}

// compile makes the entry of an object whose class has the controller. Called once for each compiler.
func (c *compiler) compile(ing *networkingv1.Ingress, controller string) compiled {
	c.ing, c.position = ing, make(map[string]int)
	c.entry = &entry{
		controller: controller,
		source: &routing.Source{Ingress: routing.ObjectName{Namespace: ing.Namespace, Name: ing.Name},
			LastName: controller == NginxController},
		services:   make(map[routing.ObjectName]struct{}),
		configMaps: make(map[routing.ObjectName]struct{}),
	}
	if !ing.CreationTimestamp.IsZero() {
		c.entry.source.Created = ing.CreationTimestamp.Unix()
	}
	c.references.Created = c.entry.source.Created
	if !c.leaveOut(controller) {
		c.parse()
	}
	switch {
	case c.settings.Canary.On && c.leftOut:
		return c.compiled // it has no paths of its own
	case c.settings.Canary.On:
		c.canary()
		return c.compiled
	}
	c.entry.closesHosts = c.settings.ClosesHosts
	c.entry.passthrough, c.entry.ciphers = c.settings.Passthrough, c.settings.Ciphers
	c.clientAuth()
	c.auth()
	c.limits()
	c.expressions()
	c.replies()
	if controller == NginxController {
		c.settings.Policy.Retry = annotation.NginxRetry(c.settings.Policy.Retry)
	}
	if p := c.settings.Policy; !p.Empty() {
		c.entry.source.Policy = &p
	}
	for i := range ing.Spec.Rules {
		c.rule(fmt.Sprintf("spec.rules[%d]", i), &ing.Spec.Rules[i])
	}
	c.defaultBackend()
	if c.leftOut {
		c.leadNowhere()
	}
	slices.SortFunc(c.entry.hosts, func(a, b hostRoutes) int { return strings.Compare(a.name, b.name) })
	if !c.leftOut {
		c.sections()
		c.ofLogin()
	}
	c.entry.sentTo = newSentTo(&c.settings, c.entry, c.ing)
	if c.leftOut {
		c.entry.sentTo.sections = false
	}
	return c.compiled
}

// leaveOut reports whether the object is left out, and why in a Rejection: by ingress-nginx's ConfigMap, or as ingress-nginx
// would. The object keeps its paths, and nothing of what is behind them: what it claims must not be served by another object
// without its owner's knowledge. They answer as what no object has.
func (c *compiler) leaveOut(controller string) bool {
	name, reason := c.defaults.Refuses(c.ing.Annotations)
	if reason == "" && controller == NginxController {
		name, reason = annotation.LeavesOut(c.ing.Annotations)
	}
	if reason == "" {
		return false
	}
	c.leftOut = true
	canary := annotation.Parse(c.ing.Annotations, func(_, _, _ string) {}).Canary
	c.settings = annotation.Parse(nil, nil)
	c.settings.Canary, c.settings.HTTPS = canary, annotation.No
	c.reject(annotationField(name), c.ing.Annotations[name], reason+"; the object is left out")
	return true
}

// leadNowhere has all Routes of the object answer as what no object has.
func (c *compiler) leadNowhere() {
	c.entry.fallback = nil
	for i := range c.entry.hosts {
		h := &c.entry.hosts[i]
		for j := range h.routes {
			h.routes[j].Backend = routing.Elsewhere
		}
	}
}

func (c *compiler) reject(field, value, reason string) {
	c.rejections = append(c.rejections, rejectIngress(c.entry.name(), field, value, reason))
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
		pathType, path, ok := c.pathType(at, p)
		if !ok {
			continue
		}
		written := writtenPath{field: at + ".path", text: path}
		if path, written.value, written.fault = c.path(pathType, path); written.fault != "" && !c.mayBeRegular() {
			c.reject(written.field, written.value, written.fault)
			continue
		}
		// Looked up again: c.entry.hosts may have moved.
		h := c.host(name)
		h.routes = append(h.routes, routing.Route{
			Host: name, Path: path, Type: pathType, Anonymous: c.entry.controller == NginxController,
			Backend: c.backend(at+".backend", &p.Backend), Source: c.entry.source,
		})
		h.written = append(h.written, written)
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
		h.written = append(h.written, writtenPath{field: "spec.defaultBackend", text: "/"})
	}
}

// pathType validates what the API server would, and what manifests can still get wrong. path is as it is written.
func (c *compiler) pathType(field string, p *networkingv1.HTTPIngressPath) (t routing.PathType, path string, ok bool) {
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
	return t, writtenOf(p), true
}

// writtenOf returns a path as it is written.
func writtenOf(p *networkingv1.HTTPIngressPath) string {
	if p.Path == "" && p.PathType != nil && *p.PathType == networkingv1.PathTypeImplementationSpecific {
		return "/"
	}
	return p.Path
}

// path returns a path, as it is written, in the form that Routes have; or why it has none, and is left out.
func (c *compiler) path(t routing.PathType, written string) (path, value, fault string) {
	path, err := routing.ParsePath(written)
	if err != nil {
		return "", written, err.Error() + "; the path is left out"
	}
	// The API server refuses these too; a path that it admits is normalised as requests are.
	if t != routing.ImplementationSpecific {
		for _, bad := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(written, bad) {
				return "", written, "\"" + bad + "\" cannot match, because requests are normalised before; the path is left out"
			}
		}
		if strings.HasSuffix(written, "/..") || strings.HasSuffix(written, "/.") {
			return "", written, "a last segment of dots cannot match, because requests are normalised before; the path is left out"
		}
	}
	return path, "", ""
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
