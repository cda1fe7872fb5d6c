package sluice

import (
	"context"
	"flag"
	"time"

	"github.com/sluice-gateway/sluice/informer"
	"github.com/sluice-gateway/sluice/server/config"
)

// source locates the objects, by the flags of three commands, and knows the program's additions, which some of them ask for.
type source struct {
	manifests, kubeconfig string
	added                 Options
}

// flags registers --manifests and --kubeconfig.
func (s *source) flags(set *flag.FlagSet) {
	set.StringVar(&s.manifests, "manifests", "", "Read the manifests in `DIR` instead of a cluster.")
	set.StringVar(&s.kubeconfig, "kubeconfig", "", "Reach the cluster that `FILE` describes; without it and without --manifests, the one this process runs in.")
}

func (s *source) validate() error {
	if s.manifests != "" && s.kubeconfig != "" {
		return usagef("--manifests and --kubeconfig exclude each other")
	}
	return nil
}

// config is c as the informer takes it.
func (s *source) config(c *config.Config) informer.Config {
	return informer.Config{
		DefaultCertificate: c.TLS.DefaultCertificate,
		IngressClass:       c.Kubernetes.IngressClass,
		Controllers:        c.Kubernetes.Controllers,
		AllowedEndpoints:   c.AllowedEndpoints(),
		NoExternalNames:    !c.Kubernetes.ExternalNames,
		HostOwnership:      c.Kubernetes.HostOwnership,
		Namespaces:         c.Kubernetes.WatchNamespaces,
		Annotations:        s.added.annotations,
		Manifests:          s.manifests,
		Kubeconfig:         s.kubeconfig,
		StatusAddresses:    c.Kubernetes.PublishStatusAddress,
		PublishService:     c.Kubernetes.PublishService,
	}
}

// loadTimeout bounds the first list of a large cluster.
const loadTimeout = 2 * time.Minute

// inspect reads the source once, for commands that only look. Nothing is written to the cluster.
func (s *source) inspect(c informer.Config) (*informer.Inspection, error) {
	if s.manifests != "" {
		return informer.InspectDir(s.manifests, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	return informer.InspectCluster(ctx, s.kubeconfig, c)
}
