package informer

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

const (
	// DefaultClass is the IngressClass name that Config.IngressClass defaults to.
	DefaultClass = "sluice"
	// DefaultController is the spec.controller of our own IngressClass.
	DefaultController = "sluice-gateway.io/ingress"
	// NginxController is the spec.controller of ingress-nginx; objects of its classes keep that
	// controller's semantics once it is among Config.Controllers.
	NginxController = "k8s.io/ingress-nginx"
)

// Config configures what is watched and which objects are ours. The zero value watches the cluster
// the process runs in, for the class "sluice". Not edited after New.
type Config struct {
	// IngressClass is the class name that an Ingress may give without there being an IngressClass object
	// of that name. "" = DefaultClass.
	IngressClass string
	// Controllers are the values of IngressClass spec.controller that are ours; the first is assumed
	// where no IngressClass decides. Empty = DefaultController.
	Controllers []string
	// HostOwnership is OwnershipMerge or OwnershipNamespace; "" = OwnershipMerge.
	HostOwnership string
	// AllowedEndpoints are ranges that Endpoints may be in although they are loopback, link-local, a
	// cloud's metadata service or the node's own (see screen).
	AllowedEndpoints []netip.Prefix
	// NoExternalNames refuses Services of type ExternalName.
	NoExternalNames bool
	// Annotations are those that are known; nil = the gateway's own.
	Annotations *annotation.Table
	// Namespaces are the ones watched; empty = all.
	Namespaces []string
	// Manifests is a directory, or one file, to read instead of a cluster.
	Manifests string
	// Kubeconfig is the file with the address and credentials of the cluster; "" = in-cluster.
	Kubeconfig string
	// DefaultCertificate is the namespace/name of the Secret for server names that have no certificate
	// of their own; "" for none.
	DefaultCertificate string
	// StatusAddresses are IPs or names to write into status.loadBalancer of the served Ingresses.
	StatusAddresses []string
	// PublishService is the namespace/name of a Service whose addresses are written there instead.
	PublishService string
}

// withDefaults fills in the zero values, or reports what is invalid.
func (c Config) withDefaults() (Config, error) {
	if c.IngressClass == "" {
		c.IngressClass = DefaultClass
	}
	if len(c.Controllers) == 0 {
		c.Controllers = []string{DefaultController}
	}
	switch c.HostOwnership {
	case "":
		c.HostOwnership = OwnershipMerge
	case OwnershipMerge, OwnershipNamespace:
	default:
		return c, fmt.Errorf("host_ownership %q: want %s or %s", c.HostOwnership, OwnershipMerge, OwnershipNamespace)
	}
	if c.PublishService != "" {
		if len(c.StatusAddresses) > 0 {
			return c, fmt.Errorf("publish_service and publish_status_address are both set: keep one")
		}
		namespace, name, _ := strings.Cut(c.PublishService, "/")
		if namespace == "" || name == "" {
			return c, fmt.Errorf("publish_service %q: want namespace/name", c.PublishService)
		}
		if !c.watches(namespace) {
			return c, fmt.Errorf("publish_service %q: its namespace is not among watch_namespaces", c.PublishService)
		}
	}
	if c.DefaultCertificate != "" {
		name := c.defaultName()
		if name.Namespace == "" || name.Name == "" || strings.Contains(name.Name, "/") {
			return c, fmt.Errorf("default_certificate %q: want namespace/name", c.DefaultCertificate)
		}
	}
	return c, nil
}

// defaultName is the Secret of the default certificate; the zero value where none is configured.
func (c *Config) defaultName() routing.ObjectName {
	namespace, name, _ := strings.Cut(c.DefaultCertificate, "/")
	return routing.ObjectName{Namespace: namespace, Name: name}
}

// watches reports whether objects of namespace are in scope.
func (c *Config) watches(namespace string) bool {
	return source.Namespaces(c.Namespaces).Has(namespace)
}

// Resolver finds the addresses of ExternalName Services, off the event loops.
type Resolver interface {
	// Watch resolves name until stop is called, and calls fn, from any goroutine, with the
	// addresses at first and whenever they change. A failure to resolve keeps the last addresses.
	// namespace is the one that asks: each has its fair part of the resolving.
	Watch(namespace, name string, port uint16, fn func([]netip.AddrPort)) (stop func())
}

// Options are the hooks of New; the zero value has none.
type Options struct {
	// Attach is called once for each new Route before it is published (routing.Builder.Attach).
	Attach func(*routing.Route)
	// OnPublish is called on Run's goroutine with each Snapshot, right after it went live.
	OnPublish func(*routing.Snapshot)
	// Resolver serves ExternalName Services; without one their Backends have no Endpoints.
	Resolver Resolver
	// Logger is slog.Default where nil.
	Logger *slog.Logger
}
