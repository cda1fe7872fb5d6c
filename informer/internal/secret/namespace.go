package secret

import "github.com/sluice-gateway/sluice/routing"

// namespace is the knowledge of the certificates of one namespace.
type namespace struct {
	// secrets counts the Secrets referred to.
	secrets int
	// read is true once all have been listed, or cannot be, for reason.
	read   bool
	reason string
	// named has the Secrets then requested one by one, with why each cannot be read, or "".
	named map[string]string
}

// byName reports whether the Secrets are requested one by one: those of the type cannot be listed, as where the gateway
// has a Role with resourceNames, and they are few.
func (n *namespace) byName() bool { return n.reason != "" && n.secrets <= maxNamed }

// waiting reports whether some Secret may be about to arrive.
func (n *namespace) waiting() bool { return !n.read || n.byName() && len(n.named) < n.secrets }

// absence returns why a Secret is not there, or nothing while it may still arrive.
func (n *namespace) absence(name routing.ObjectName, onDemand bool) string {
	reason, asked := n.named[name.Name]
	switch {
	case onDemand && (!n.read || n.byName() && !asked):
		return ""
	case n.byName() && reason != "":
		return reason
	case n.reason != "" && !n.byName():
		return n.reason
	}
	return "no such Secret of type kubernetes.io/tls in namespace " + name.Namespace
}

// waiting reports whether a Secret that is referred to may be about to arrive.
func (s *certificateSet) waiting() bool {
	for _, n := range s.namespaces {
		if n.waiting() {
			return true
		}
	}
	return false
}

// namespaceRead notes that the certificates of a namespace are all here, or why they cannot be read.
func (s *certificateSet) namespaceRead(of, reason string) {
	n := s.namespaces[of]
	if n == nil || n.read && n.reason == reason {
		return
	}
	if n.read, n.reason = true, reason; reason == "" {
		n.named = nil
	}
	for name, p := range s.pairs {
		if name.Namespace == of && p.live == nil {
			s.changed(name)
		}
	}
}

// secretRead notes that a Secret requested by name is here if it exists, or why it cannot be read.
func (s *certificateSet) secretRead(name routing.ObjectName, reason string) {
	n, p := s.namespaces[name.Namespace], s.pairs[name]
	if n == nil || p == nil || !n.byName() {
		return
	}
	if n.named == nil {
		n.named = make(map[string]string)
	}
	if n.named[name.Name] = reason; p.live == nil {
		s.changed(name)
	}
}

// watches yields the Watches for the certificates, and reports whether all were taken.
func (s *certificateSet) watches(yield func(Watch) bool) bool {
	oneByOne := false
	for namespace, n := range s.namespaces {
		// The Watch stays wanted where it fails: it is tried again, and the right may be granted.
		if !yield(Watch{Namespace: namespace, Scope: Certificates}) {
			return false
		}
		oneByOne = oneByOne || n.byName()
	}
	if !oneByOne {
		return true
	}
	for name := range s.pairs {
		if s.namespaces[name.Namespace].byName() && !yield(Watch{Namespace: name.Namespace, Name: name.Name}) {
			return false
		}
	}
	return true
}
