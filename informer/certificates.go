package informer

import (
	"cmp"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// certificateSet makes the Certificates of the Secrets that Ingresses refer to. Owned by the builder's
// goroutine; list is never edited, only replaced, because Snapshots share it.
//
// A Secret is parsed when it is new or its content has changed, and only while something refers to
// it. What is wrong with it is a Rejection of each Ingress that does, owned apart from the rest of
// that Ingress, so that a Secret never makes it compile again.
type certificateSet struct {
	// users holds, by Secret, the Ingresses that refer to it; it has the keys of pairs.
	users map[routing.ObjectName]map[routing.ObjectName]*entry
	pairs map[routing.ObjectName]*secretPair
	// namespaces are those of the Secrets referred to.
	namespaces map[string]*secretNamespace
	list       []*routing.Certificate
	// next is when a Certificate of list begins or ceases to be valid; zero for never.
	next time.Time

	// What the current step touches:
	staleSecrets   map[routing.ObjectName]struct{}
	staleIngresses map[routing.ObjectName]struct{}
}

// secretPair is a Secret that is referred to, parsed.
type secretPair struct {
	parsed bool
	// Of pair and fault at most one is set. Neither is while the Secret may still arrive.
	pair  *tls.Certificate
	fault string
	// live is what the last Snapshot has, nil for nothing.
	live *routing.Certificate
}

// secretNamespace says what is known of the Secrets in a namespace.
type secretNamespace struct {
	// secrets counts those referred to.
	secrets int
	// read is true once all have been listed, or it is known why they cannot be, which is reason.
	read   bool
	reason string
}

func newCertificateSet() certificateSet {
	return certificateSet{
		users:          make(map[routing.ObjectName]map[routing.ObjectName]*entry),
		pairs:          make(map[routing.ObjectName]*secretPair),
		namespaces:     make(map[string]*secretNamespace),
		staleSecrets:   make(map[routing.ObjectName]struct{}),
		staleIngresses: make(map[routing.ObjectName]struct{}),
	}
}

// takesSecrets reports whether Secrets of a namespace are kept. From a cluster they are read on
// demand: what arrives without one was on its way when its watch ended.
func (b *builder) takesSecrets(namespace string) bool {
	return b.cfg.Manifests != "" || b.certificates.namespaces[namespace] != nil
}

// waiting reports whether a Secret that is referred to may be about to arrive.
func (s *certificateSet) waiting() bool {
	for _, n := range s.namespaces {
		if !n.read {
			return true
		}
	}
	return false
}

// secretChanged marks a Secret that came, changed or went.
func (s *certificateSet) secretChanged(name routing.ObjectName) {
	if p := s.pairs[name]; p != nil {
		p.parsed = false
		s.staleSecrets[name] = struct{}{}
	}
}

// secretsRead notes that the Secrets of a namespace are all here, or why they cannot be read.
func (s *certificateSet) secretsRead(namespace, reason string) {
	n := s.namespaces[namespace]
	if n == nil || n.read && n.reason == reason {
		return
	}
	n.read, n.reason = true, reason
	for name, p := range s.pairs {
		if name.Namespace == namespace && p.pair == nil {
			s.secretChanged(name)
		}
	}
}

// replaceEntry exchanges the references of an Ingress.
func (s *certificateSet) replaceEntry(ingress routing.ObjectName, old, next *entry) {
	var was, is []tlsSection
	if old != nil {
		was = old.tls
	}
	if next != nil {
		is = next.tls
	}
	if len(was) == 0 && len(is) == 0 {
		return
	}
	for _, section := range was {
		delete(s.users[section.secret], ingress)
	}
	for _, section := range is {
		if s.pairs[section.secret] == nil {
			s.pairs[section.secret] = new(secretPair)
			s.users[section.secret] = make(map[routing.ObjectName]*entry)
			n := s.namespaces[section.secret.Namespace]
			if n == nil {
				n = new(secretNamespace)
				s.namespaces[section.secret.Namespace] = n
			}
			n.secrets++
		}
		s.users[section.secret][ingress] = next
	}
	if slices.EqualFunc(was, is, tlsSection.same) {
		return
	}
	s.staleIngresses[ingress] = struct{}{}
	for _, section := range slices.Concat(was, is) {
		s.staleSecrets[section.secret] = struct{}{}
	}
}

// refreshCertificates ends the step: it returns the list to publish, and whether it differs from the
// former one.
func (b *builder) refreshCertificates() (list []*routing.Certificate, changed bool) {
	s, now := &b.certificates, b.now()
	for name := range s.staleSecrets {
		changed = b.refreshSecret(name) || changed
		for ingress := range s.users[name] {
			s.staleIngresses[ingress] = struct{}{}
		}
	}
	clear(s.staleSecrets)
	due := !s.next.IsZero() && !now.Before(s.next)
	if due {
		for _, c := range s.list {
			for ingress := range s.users[c.Secret] {
				s.staleIngresses[ingress] = struct{}{}
			}
		}
	}
	for ingress := range s.staleIngresses {
		b.rejected.replace(objectKey{kindTLS, ingress}, b.rejectTLS(b.entries[ingress], now))
	}
	clear(s.staleIngresses)
	if changed {
		s.list = nil
		for _, p := range s.pairs {
			if p.live != nil {
				s.list = append(s.list, p.live)
			}
		}
		slices.SortFunc(s.list, func(a, b *routing.Certificate) int {
			return cmp.Or(strings.Compare(a.Secret.Namespace, b.Secret.Namespace), strings.Compare(a.Secret.Name, b.Secret.Name))
		})
	}
	if changed || due {
		s.schedule(now)
	}
	return s.list, changed
}

// schedule sets next.
func (s *certificateSet) schedule(now time.Time) {
	s.next = time.Time{}
	for _, c := range s.list {
		// It is still good at NotAfter.
		for _, t := range [...]time.Time{c.NotBefore, c.NotAfter.Add(1)} {
			if t.After(now) && (s.next.IsZero() || t.Before(s.next)) {
				s.next = t
			}
		}
	}
}

// refreshSecret makes the Certificate of a Secret anew where it must, and reports whether it did. It
// forgets one that nothing refers to.
func (b *builder) refreshSecret(name routing.ObjectName) (changed bool) {
	s := &b.certificates
	p := s.pairs[name]
	if p == nil {
		return false
	}
	if len(s.users[name]) == 0 {
		delete(s.users, name)
		delete(s.pairs, name)
		// Not before all Ingresses of the step are compiled, so that a namespace that one leaves and
		// another takes up stays read.
		if n := s.namespaces[name.Namespace]; n.secrets > 1 {
			n.secrets--
		} else {
			b.forgetSecrets(name.Namespace)
		}
		return p.live != nil
	}
	if !p.parsed {
		p.parsed = true
		p.pair, p.fault = nil, ""
		if secret := b.cache.secrets[name]; secret != nil {
			p.pair, p.fault = parsePair(secret)
		} else {
			p.fault = b.absence(name.Namespace)
		}
	}
	if p.pair == nil {
		changed = p.live != nil
		p.live = nil
		return changed
	}
	var hosts []string
	for _, user := range s.users[name] {
		for _, section := range user.tls {
			if section.secret == name {
				hosts = append(hosts, section.namesOf(p.pair.Leaf)...)
			}
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	if p.live != nil && p.live.Certificate == p.pair && slices.Equal(p.live.Hosts, hosts) {
		return false
	}
	p.live = routing.NewCertificate(name, hosts, p.pair)
	return true
}

// forgetSecrets drops what is known of a namespace to which nothing refers any more.
func (b *builder) forgetSecrets(namespace string) {
	delete(b.certificates.namespaces, namespace)
	if b.cfg.Manifests != "" {
		return
	}
	for name := range b.cache.secrets {
		if name.Namespace == namespace {
			delete(b.cache.secrets, name)
		}
	}
}

// absence says why a Secret is not there, or nothing while it may still arrive.
func (b *builder) absence(namespace string) string {
	n := b.certificates.namespaces[namespace]
	switch {
	case b.cfg.Manifests == "" && !n.read:
		return ""
	case n.reason != "":
		return n.reason + notServed
	}
	return "no such Secret of type kubernetes.io/tls in namespace " + namespace + notServed
}

// rejectTLS gives the Rejections of an Ingress's tls sections.
func (b *builder) rejectTLS(e *entry, now time.Time) (list []Rejection) {
	if e == nil {
		return nil
	}
	for _, section := range e.tls {
		p := b.certificates.pairs[section.secret]
		if p.fault != "" {
			list = append(list, rejectIngress(e.source, section.field, section.secret.Name, p.fault))
		} else if p.live != nil {
			for _, reason := range section.objections(p.live, now) {
				list = append(list, rejectIngress(e.source, section.field, section.secret.Name, reason))
			}
		}
	}
	return list
}
