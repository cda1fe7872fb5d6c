package secret

import (
	"iter"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// Watch names Secrets of a namespace that are read together. A plain value.
type Watch struct {
	Namespace string
	Scope     Scope
	// Name is that of the one Secret where Scope is One.
	Name string
}

// Scope tells which Secrets of its namespace a Watch covers.
type Scope uint8

// The Scopes.
const (
	One          Scope = iota // the one that is called Name
	Certificates              // those of type kubernetes.io/tls
	All                       // each one
)

// maxNamed is how many Secrets of a namespace are watched one by one. A watch by name needs the least privilege and
// costs some goroutines; beyond maxNamed one watch of the whole namespace replaces them.
const maxNamed = 32

// Watches yields the Watches that the references need, each once.
func (s *Set) Watches() iter.Seq[Watch] {
	return func(yield func(Watch) bool) {
		_ = s.certificates.watches(yield) && s.credentials.watches(yield)
	}
}

// Read takes the report of a Watch: all its Secrets are here, or cannot be read for a reason. It returns the Ingresses
// to compile again.
func (s *Set) Read(w Watch, reason string) (affected []routing.ObjectName) {
	name := routing.ObjectName{Namespace: w.Namespace, Name: w.Name}
	switch w.Scope {
	case Certificates:
		s.certificates.namespaceRead(w.Namespace, reason)
	case All:
		for name := range s.credentials.named {
			if name.Namespace == w.Namespace {
				affected = append(affected, s.credentialRead(name, reason)...)
			}
		}
	default:
		s.certificates.secretRead(name, reason)
		affected = s.credentialRead(name, reason)
	}
	return affected
}

func (s *Set) credentialRead(name routing.ObjectName, reason string) (affected []routing.ObjectName) {
	if s.credentials.read(name, reason) && s.objects[name] == nil {
		return s.credentialChanged(name)
	}
	return nil
}

// Takes reports whether a Secret is kept; nil is one that is gone. On demand a Secret is kept only while a Watch covers
// it: an event without a Watch was on its way when the Watch ended, and no later event would follow it, not even a
// deletion.
func (s *Set) Takes(name routing.ObjectName, secret *corev1.Secret) bool {
	if !s.opts.OnDemand || s.credentials.named[name] != nil {
		return true
	}
	return s.certificates.namespaces[name.Namespace] != nil && (secret == nil || secret.Type == corev1.SecretTypeTLS)
}

// release drops from some namespaces the Secrets that no Watch covers any more.
func (s *Set) release(namespaces map[string]struct{}) {
	if len(namespaces) == 0 {
		return
	}
	for name, secret := range s.objects {
		if _, look := namespaces[name.Namespace]; look && !s.Takes(name, secret) {
			delete(s.objects, name)
		}
	}
}
