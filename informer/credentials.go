package informer

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// credentialSet holds the Secrets that annotations and the configuration name: authorities to verify
// with, key pairs to show to Backends, and the default certificate. They are of any type, so that in
// a cluster each is read by its name. Owned by the builder's goroutine.
//
// Unlike a Secret of a tls section, a credential decides how Routes and Backends are made, so its
// change compiles the Ingresses that use it again.
type credentialSet struct {
	named map[routing.ObjectName]*credential
	// released are the Secrets that may have lost their last user in this step.
	released map[routing.ObjectName]struct{}
}

// credential is one Secret of a credentialSet.
type credential struct {
	// users are Ingresses; configured stands for the configuration.
	users map[routing.ObjectName]struct{}
	// read is true once it is known whether the Secret is there, or that it cannot be read, for reason.
	read   bool
	reason string
	// material is nil until first used.
	material *material
}

// configured is the user of the default certificate's Secret. No Ingress has this name.
var configured routing.ObjectName

func newCredentialSet() credentialSet {
	return credentialSet{
		named:    make(map[routing.ObjectName]*credential),
		released: make(map[routing.ObjectName]struct{}),
	}
}

// use notes that user refers to a Secret.
func (s *credentialSet) use(name, user routing.ObjectName) *credential {
	c := s.named[name]
	if c == nil {
		c = &credential{users: make(map[routing.ObjectName]struct{})}
		s.named[name] = c
	}
	c.users[user] = struct{}{}
	return c
}

// replaceEntry releases what an Ingress no longer refers to; compiling has noted its present references.
func (s *credentialSet) replaceEntry(ingress routing.ObjectName, old, next *entry) {
	if old == nil {
		return
	}
	for name := range old.credentials {
		if next != nil {
			if _, still := next.credentials[name]; still {
				continue
			}
		}
		delete(s.named[name].users, ingress)
		s.released[name] = struct{}{}
	}
}

// sweepCredentials forgets the Secrets that nothing refers to any more.
func (b *builder) sweepCredentials() {
	s := &b.credentials
	for name := range s.released {
		if len(s.named[name].users) == 0 {
			delete(s.named, name)
			b.forgetSecrets(name.Namespace)
		}
	}
	clear(s.released)
}

// credentialChanged marks the users of a Secret.
func (b *builder) credentialChanged(name routing.ObjectName) {
	c := b.credentials.named[name]
	if c == nil {
		return
	}
	c.material = nil
	for user := range c.users {
		if user == configured {
			b.certificates.fallback.parsed = false
		} else {
			b.dirtyIngresses[user] = struct{}{}
		}
	}
}

// credentialRead notes that a Secret is here if it exists, or why it cannot be read.
func (b *builder) credentialRead(name routing.ObjectName, reason string) {
	c := b.credentials.named[name]
	if c == nil || c.read && c.reason == reason {
		return
	}
	c.read, c.reason = true, reason
	if b.cache.secrets[name] == nil {
		b.credentialChanged(name)
	}
}

// waiting reports whether a Secret may be about to arrive.
func (s *credentialSet) waiting() bool {
	for _, c := range s.named {
		if !c.read {
			return true
		}
	}
	return false
}

// credentialAbsence returns why a Secret is not there, or nothing while it may still arrive.
func (b *builder) credentialAbsence(name routing.ObjectName) string {
	c := b.credentials.named[name]
	switch {
	case b.cfg.Manifests == "" && !c.read:
		return ""
	case c.reason != "":
		return c.reason
	}
	return "no such Secret in namespace " + name.Namespace
}

// takesSecret reports whether a Secret is kept; nil is one that is gone. From a cluster Secrets are read
// on demand, and one is kept only while a watch covers it: an event without a watch was on its way when
// the watch ended, and no later event would follow it, not even a deletion.
func (b *builder) takesSecret(name routing.ObjectName, secret *corev1.Secret) bool {
	if b.cfg.Manifests != "" || b.credentials.named[name] != nil {
		return true
	}
	return b.certificates.namespaces[name.Namespace] != nil && (secret == nil || secret.Type == corev1.SecretTypeTLS)
}

// forgetSecrets drops from a namespace the Secrets that no watch covers any more.
func (b *builder) forgetSecrets(namespace string) {
	for name, secret := range b.cache.secrets {
		if name.Namespace == namespace && !b.takesSecret(name, secret) {
			delete(b.cache.secrets, name)
		}
	}
}

// maxNamed is how many Secrets of a namespace are watched one by one. A watch by name needs the
// least privilege and costs some goroutines; beyond maxNamed one watch of all Secrets of the
// namespace replaces them.
const maxNamed = 32

// secretsWanted returns the watches that the last build needs.
func (b *builder) secretsWanted() map[source.SecretsKey]struct{} {
	wanted := make(map[source.SecretsKey]struct{}, len(b.certificates.namespaces)+len(b.credentials.named))
	oneByOne := false
	for namespace, n := range b.certificates.namespaces {
		// The watch stays wanted where it fails: it is tried again, and the right may be granted.
		wanted[source.SecretsKey{Namespace: namespace, Name: source.CertificateSecrets}] = struct{}{}
		oneByOne = oneByOne || n.byName()
	}
	if oneByOne {
		for name := range b.certificates.pairs {
			if b.certificates.namespaces[name.Namespace].byName() {
				wanted[source.SecretsKey(name)] = struct{}{}
			}
		}
	}
	counts := make(map[string]int)
	for name := range b.credentials.named {
		counts[name.Namespace]++
	}
	for name := range b.credentials.named {
		if counts[name.Namespace] > maxNamed {
			name.Name = source.AllSecrets
		}
		wanted[source.SecretsKey(name)] = struct{}{}
	}
	return wanted
}

// secretsRead handles the report of a watch: all its Secrets are here, or cannot be read.
func (b *builder) secretsRead(key source.SecretsKey, reason string) {
	switch key.Name {
	case source.CertificateSecrets:
		b.certificates.secretsRead(key.Namespace, reason)
	case source.AllSecrets:
		for name := range b.credentials.named {
			if name.Namespace == key.Namespace {
				b.credentialRead(name, reason)
			}
		}
	default:
		b.credentialRead(routing.ObjectName(key), reason)
		b.certificates.secretRead(routing.ObjectName(key), reason)
	}
}
