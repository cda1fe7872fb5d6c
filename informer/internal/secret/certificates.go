package secret

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// certificateSet makes the Certificates of the Secrets that tls sections refer to. A fault of such a Secret belongs to
// each Ingress that refers to it, apart from the rest of that Ingress, so that a Secret never makes the Ingress compile
// again. list is never edited, only replaced, because Snapshots share it.
type certificateSet struct {
	// users holds, by Secret, the Ingresses that refer to it; it has the keys of pairs.
	users map[routing.ObjectName]map[routing.ObjectName]struct{}
	pairs map[routing.ObjectName]*pair
	// namespaces are those of the Secrets referred to.
	namespaces map[string]*namespace
	list       []*routing.Certificate

	// stale are the Secrets to be parsed again, or forgotten, in this step or a later one.
	stale map[routing.ObjectName]struct{}
}

func newCertificateSet() certificateSet {
	return certificateSet{
		users:      make(map[routing.ObjectName]map[routing.ObjectName]struct{}),
		pairs:      make(map[routing.ObjectName]*pair),
		namespaces: make(map[string]*namespace),
		stale:      make(map[routing.ObjectName]struct{}),
	}
}

// live returns the served Certificate of a Secret, nil for none.
func (s *certificateSet) live(secret routing.ObjectName) *routing.Certificate {
	return s.pairs[secret].certificate()
}

// changed marks a Secret that came, changed or went.
func (s *certificateSet) changed(secret routing.ObjectName) {
	if p := s.pairs[secret]; p != nil {
		p.parsed = false
		s.stale[secret] = struct{}{}
	}
}

// refer replaces the references of an Ingress, and reports whether its claims and Faults may differ for it.
func (s *certificateSet) refer(ingress routing.ObjectName, old, next References) (differs bool) {
	if len(old.Sections) == 0 && len(next.Sections) == 0 {
		return false
	}
	for _, section := range old.Sections {
		delete(s.users[section.Secret], ingress)
	}
	for _, section := range next.Sections {
		s.use(section.Secret, ingress)
	}
	if old.Created == next.Created && slices.EqualFunc(old.Sections, next.Sections, Section.same) {
		return false
	}
	for _, section := range slices.Concat(old.Sections, next.Sections) {
		s.stale[section.Secret] = struct{}{}
	}
	return true
}

func (s *certificateSet) use(secret, ingress routing.ObjectName) {
	if s.pairs[secret] == nil {
		s.pairs[secret] = new(pair)
		s.users[secret] = make(map[routing.ObjectName]struct{})
		if s.namespaces[secret.Namespace] == nil {
			s.namespaces[secret.Namespace] = new(namespace)
		}
		s.namespaces[secret.Namespace].secrets++
	}
	s.users[secret][ingress] = struct{}{}
}

// parsed is a Secret that a step has parsed or forgotten; changed is true where its Certificate is another one now.
type parsed struct {
	secret  routing.ObjectName
	changed bool
}

// refresh parses the stale Secrets, which find looks up, and forgets those that nothing refers to. gone are the
// namespaces of which no Secret is referred to any more.
func (s *certificateSet) refresh(find func(routing.ObjectName) (*corev1.Secret, string), budget time.Duration) (list []parsed, gone map[string]struct{}) {
	replaced := make(map[routing.ObjectName]*routing.Certificate)
	start := time.Now()
	for name := range s.stale {
		// Not before one Secret is parsed, so that every step makes progress.
		if budget > 0 && len(list) > 0 && time.Since(start) > budget {
			break
		}
		delete(s.stale, name)
		p := s.pairs[name]
		if p == nil {
			continue
		}
		was := p.live
		if len(s.users[name]) == 0 {
			// Not before all Ingresses of the step are compiled, so that a namespace that one leaves and another takes
			// up stays read.
			if p.live = nil; s.forget(name) {
				if gone == nil {
					gone = make(map[string]struct{})
				}
				gone[name.Namespace] = struct{}{}
			}
		} else if !p.parsed {
			secret, absence := find(name)
			p.parse(name, secret, absence)
		}
		if p.live != was {
			replaced[name] = p.live
		}
		list = append(list, parsed{name, p.live != was})
	}
	if len(replaced) > 0 {
		s.list = replaceCertificates(s.list, replaced)
	}
	return list, gone
}

// forget drops a Secret that nothing refers to, and reports whether it was the last of its namespace.
func (s *certificateSet) forget(secret routing.ObjectName) (last bool) {
	delete(s.users, secret)
	delete(s.pairs, secret)
	n := s.namespaces[secret.Namespace]
	delete(n.named, secret.Name)
	if n.secrets--; n.secrets > 0 {
		return false
	}
	delete(s.namespaces, secret.Namespace)
	return true
}

// few is how many changes are put into a sorted list one by one.
const few = 64

// replaceCertificates returns the list with the Certificates of some Secrets replaced; nil is one that is gone.
func replaceCertificates(list []*routing.Certificate, replaced map[routing.ObjectName]*routing.Certificate) []*routing.Certificate {
	if len(replaced) > few {
		list = slices.DeleteFunc(slices.Clone(list), func(c *routing.Certificate) bool {
			_, gone := replaced[c.Secret]
			return gone
		})
		list = slices.AppendSeq(list, maps.Values(replaced))
		list = slices.DeleteFunc(list, func(c *routing.Certificate) bool { return c == nil })
		slices.SortFunc(list, func(a, b *routing.Certificate) int { return a.Secret.Compare(b.Secret) })
		return list
	}
	list = slices.Clone(list)
	for name, c := range replaced {
		i, found := slices.BinarySearchFunc(list, name, func(c *routing.Certificate, name routing.ObjectName) int {
			return c.Secret.Compare(name)
		})
		switch {
		case found && c != nil:
			list[i] = c
		case found:
			list = slices.Delete(list, i, i+1)
		case c != nil:
			list = slices.Insert(list, i, c)
		}
	}
	return list
}
