package informer

import (
	"fmt"

	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// Package secret knows no sources and no Rejections. These functions translate.

func secretOptions(cfg *Config) secret.Options {
	return secret.Options{
		Default:   cfg.defaultName(),
		OnDemand:  cfg.Manifests == "",
		Exclusive: cfg.HostOwnership == OwnershipNamespace,
	}
}

// watchesWanted returns the watches that the last build needs.
func (b *builder) watchesWanted() map[source.SecretsKey]struct{} {
	wanted := make(map[source.SecretsKey]struct{})
	for w := range b.secrets.Watches() {
		wanted[watchKey(w)] = struct{}{}
	}
	return wanted
}

func watchKey(w secret.Watch) source.SecretsKey {
	switch w.Scope {
	case secret.Certificates:
		w.Name = source.CertificateSecrets
	case secret.All:
		w.Name = source.AllSecrets
	}
	return source.SecretsKey{Namespace: w.Namespace, Name: w.Name}
}

func watchOf(key source.SecretsKey) secret.Watch {
	switch key.Name {
	case source.CertificateSecrets:
		return secret.Watch{Namespace: key.Namespace, Scope: secret.Certificates}
	case source.AllSecrets:
		return secret.Watch{Namespace: key.Namespace, Scope: secret.All}
	}
	return secret.Watch{Namespace: key.Namespace, Name: key.Name}
}

// rejectSecrets reports the Faults of a step.
func (b *builder) rejectSecrets(r *secret.Result) {
	for ingress, faults := range r.ByIngress {
		b.rejected.replace(subject{ofTLS, ingress}, rejectFaults(faults))
	}
	for name, faults := range r.ByName {
		b.rejected.replace(subject{ofServerName, routing.ObjectName{Name: name}}, rejectFaults(faults))
	}
	if b.cfg.DefaultCertificate == "" {
		return
	}
	name := b.cfg.defaultName()
	var list []Rejection
	for _, reason := range r.OfDefault {
		list = append(list, Rejection{Object: Object{Kind: "Secret", Namespace: name.Namespace, Name: name.Name}, Reason: reason})
	}
	b.rejected.replace(subject{ofSecret, name}, list)
}

func rejectFaults(faults []secret.Fault) (list []Rejection) {
	for _, f := range faults {
		list = append(list, rejectIngress(f.Ingress, fmt.Sprintf("spec.tls[%d].secretName", f.Section), f.Secret, f.Reason))
	}
	return list
}
