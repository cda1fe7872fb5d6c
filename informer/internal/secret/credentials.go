package secret

import "github.com/sluice-gateway/sluice/routing"

// credentialSet holds the Secrets that annotations and the configuration name: authorities to verify with, key pairs to
// show to Backends, and the default certificate. They are of any type, so that on demand each is read by its name.
type credentialSet struct {
	named map[routing.ObjectName]*credential
	// released are the Secrets that may have no user at the end of this step.
	released map[routing.ObjectName]struct{}
}

// credential is one Secret of a credentialSet.
type credential struct {
	// users are the Ingresses that name the Secret, and pinned is true where the configuration does.
	users  map[routing.ObjectName]struct{}
	pinned bool
	// read is true once it is known whether the Secret is there, or that it cannot be read, for reason.
	read   bool
	reason string
	// material is nil until first used.
	material *Material
}

func newCredentialSet() credentialSet {
	return credentialSet{
		named:    make(map[routing.ObjectName]*credential),
		released: make(map[routing.ObjectName]struct{}),
	}
}

// want returns the credential of a name, which is kept for this step at least.
func (s *credentialSet) want(name routing.ObjectName) *credential {
	c := s.named[name]
	if c == nil {
		c = &credential{users: make(map[routing.ObjectName]struct{})}
		s.named[name] = c
		s.released[name] = struct{}{}
	}
	return c
}

// pin keeps a credential for good.
func (s *credentialSet) pin(name routing.ObjectName) { s.want(name).pinned = true }

// refer replaces the references of an Ingress.
func (s *credentialSet) refer(ingress routing.ObjectName, old, next []routing.ObjectName) {
	for _, name := range old {
		delete(s.named[name].users, ingress)
		s.released[name] = struct{}{}
	}
	for _, name := range next {
		s.want(name).users[ingress] = struct{}{}
	}
}

// sweep forgets the Secrets that nothing refers to any more, and returns their namespaces.
func (s *credentialSet) sweep() (gone map[string]struct{}) {
	for name := range s.released {
		if c := s.named[name]; len(c.users) > 0 || c.pinned {
			continue
		}
		delete(s.named, name)
		if gone == nil {
			gone = make(map[string]struct{})
		}
		gone[name.Namespace] = struct{}{}
	}
	clear(s.released)
	return gone
}

// changed forgets the Material of a Secret, and returns the Ingresses that name it.
func (s *credentialSet) changed(name routing.ObjectName) (users []routing.ObjectName) {
	c := s.named[name]
	if c == nil {
		return nil
	}
	c.material = nil
	for user := range c.users {
		users = append(users, user)
	}
	return users
}

// read notes that a Secret is here if it exists, or why it cannot be read, and reports whether that is news.
func (s *credentialSet) read(name routing.ObjectName, reason string) (news bool) {
	c := s.named[name]
	if c == nil || c.read && c.reason == reason {
		return false
	}
	c.read, c.reason = true, reason
	return true
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

// absence returns why the Secret is not there, or nothing while it may still arrive.
func (c *credential) absence(name routing.ObjectName, onDemand bool) string {
	switch {
	case onDemand && !c.read:
		return ""
	case c.reason != "":
		return c.reason
	}
	return "no such Secret in namespace " + name.Namespace
}

// watches yields the Watches for the credentials, and reports whether all were taken.
func (s *credentialSet) watches(yield func(Watch) bool) bool {
	counts := make(map[string]int)
	for name := range s.named {
		counts[name.Namespace]++
	}
	for name := range s.named {
		if counts[name.Namespace] <= maxNamed && !yield(Watch{Namespace: name.Namespace, Name: name.Name}) {
			return false
		}
	}
	for namespace, n := range counts {
		if n > maxNamed && !yield(Watch{Namespace: namespace, Scope: All}) {
			return false
		}
	}
	return true
}
