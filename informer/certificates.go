package informer

import (
	"cmp"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// certificateSet makes the Certificates of the Secrets that Ingresses refer to, and decides for which
// names they are served. Owned by the builder's goroutine; list and index are never edited, only
// replaced, because Snapshots share them.
//
// A Secret is parsed when it is new or its content has changed, and only while something refers to it. A fault
// of it is a Rejection of each Ingress that refers to it, owned apart from the rest of that Ingress, so that a
// Secret never makes the Ingress compile again. A Secret that was good and is broken now keeps its last good
// Certificate until it is deleted or nothing refers to it: a failed renewal must not take a host down whose
// Certificate clients still accept, and ingress-nginx does the same. After a restart there is none.
//
// A name is claimed by the tls sections that list it, and by those of an object whose rules have it
// while no section lists it. Of the claims whose Certificates are good for the name, one of each
// algorithm is served: that of the oldest object.
//
// The work of a step is proportional to the Secrets and names that it touches, but for copies of list
// and index.
type certificateSet struct {
	// users holds, by Secret, the Ingresses that refer to it; it has the keys of pairs.
	users map[routing.ObjectName]map[routing.ObjectName]*entry
	pairs map[routing.ObjectName]*secretPair
	// namespaces are those of the Secrets referred to.
	namespaces map[string]*secretNamespace
	// claims has the claims of each name, the best first, and served the Certificates served for it.
	claims map[string][]claim
	served map[string][]*routing.Certificate
	below  family // the exact names in claims
	list   []*routing.Certificate
	index  *routing.CertificateIndex
	// fallback is the default certificate's Secret, nil where none is configured.
	fallback *secretPair
	// next is when a Certificate begins or ceases to be valid, or earlier; zero for never. looked is
	// when validity was last checked.
	next, looked time.Time
	// budget bounds the time that one step spends on parsing; the rest stays stale, for the next
	// step. 0 = no bound.
	budget time.Duration

	// Touched by the current step:
	staleSecrets   map[routing.ObjectName]struct{}
	staleNames     map[string]struct{}
	staleIngresses map[routing.ObjectName]struct{}
}

// secretPair is a Secret that is referred to, parsed.
type secretPair struct {
	parsed bool
	// live is the served Certificate, nil for none, and from the object that it was made of.
	live *routing.Certificate
	from *corev1.Secret
	// fault is the error in the present state of the Secret. Both live and fault are set while the
	// last good state is served, and neither while the Secret may still arrive.
	fault string
}

// claim is one name of a tls section. A plain value: it outlives the entry that it comes from.
type claim struct {
	// source has only the name and the age of the object.
	source routing.Source
	secret routing.ObjectName
	// section is the position in spec.tls, and listed is true where the section lists the name.
	section int
	listed  bool
}

func (c claim) compare(o claim) int {
	return cmp.Or(c.source.Compare(&o.source), cmp.Compare(c.section, o.section))
}

// secretNamespace is the knowledge of one namespace's Secrets.
type secretNamespace struct {
	// secrets counts the Secrets referred to.
	secrets int
	// read is true once all have been listed, or cannot be, for reason.
	read   bool
	reason string
	// named has the Secrets then requested one by one, with why each cannot be read, or "".
	named map[string]string
}

// byName reports whether the Secrets are requested one by one: those of the type cannot be listed, as
// where the gateway has a Role with resourceNames, and they are few.
func (n *secretNamespace) byName() bool { return n.reason != "" && n.secrets <= maxNamed }

func newCertificateSet() certificateSet {
	return certificateSet{
		users:          make(map[routing.ObjectName]map[routing.ObjectName]*entry),
		pairs:          make(map[routing.ObjectName]*secretPair),
		namespaces:     make(map[string]*secretNamespace),
		claims:         make(map[string][]claim),
		below:          make(family),
		served:         make(map[string][]*routing.Certificate),
		staleSecrets:   make(map[routing.ObjectName]struct{}),
		staleNames:     make(map[string]struct{}),
		staleIngresses: make(map[routing.ObjectName]struct{}),
	}
}

// waiting reports whether a Secret that is referred to may be about to arrive, or to be parsed.
func (s *certificateSet) waiting() bool {
	for _, n := range s.namespaces {
		if !n.read || n.byName() && len(n.named) < n.secrets {
			return true
		}
	}
	return s.behind()
}

// behind reports whether the last step left Secrets unparsed.
func (s *certificateSet) behind() bool { return len(s.staleSecrets) > 0 }

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
	if n.read, n.reason = true, reason; reason == "" {
		n.named = nil
	}
	for name, p := range s.pairs {
		if name.Namespace == namespace && p.live == nil {
			s.secretChanged(name)
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
		s.secretChanged(name)
	}
}

// replaceEntry exchanges the references of an Ingress.
func (s *certificateSet) replaceEntry(ingress routing.ObjectName, old, next *entry) {
	var was, is []tlsSection
	var wasCreated, isCreated int64
	if old != nil {
		was, wasCreated = old.tls, old.source.Created
	}
	if next != nil {
		is, isCreated = next.tls, next.source.Created
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
	if wasCreated == isCreated && slices.EqualFunc(was, is, tlsSection.same) {
		return
	}
	s.staleIngresses[ingress] = struct{}{}
	for _, section := range slices.Concat(was, is) {
		s.staleSecrets[section.secret] = struct{}{}
	}
	for _, section := range was {
		for name, c := range section.claims(routing.Source{Ingress: ingress, Created: wasCreated}) {
			list := s.claims[name]
			if i, ok := slices.BinarySearchFunc(list, c, claim.compare); ok {
				list = slices.Delete(list, i, i+1)
			}
			if s.claims[name] = list; len(list) == 0 {
				delete(s.claims, name)
				s.below.remove(name)
			}
			s.staleNames[name] = struct{}{}
		}
	}
	for _, section := range is {
		for name, c := range section.claims(routing.Source{Ingress: ingress, Created: isCreated}) {
			list := s.claims[name]
			i, _ := slices.BinarySearchFunc(list, c, claim.compare)
			s.claims[name] = slices.Insert(list, i, c)
			s.below.add(name)
			s.staleNames[name] = struct{}{}
		}
	}
}

// certificates is the part of a Snapshot that a certificateSet makes.
type certificates struct {
	list     []*routing.Certificate
	index    *routing.CertificateIndex
	fallback *routing.Certificate
}

// refreshCertificates ends the step: it returns what to publish, and whether it differs from before.
func (b *builder) refreshCertificates() (result certificates, changed bool) {
	s, now := &b.certificates, b.now()
	if changed = b.refreshDefault(now); changed {
		b.defaultReplaced()
	}
	replaced := b.refreshSecrets(now)
	if len(replaced) > 0 {
		s.list, changed = replaceCertificates(s.list, replaced), true
	}
	b.lookAtClock(now)
	for ingress := range s.staleIngresses {
		b.rejected.replace(subject{ofTLS, ingress}, b.rejectTLS(b.entries[ingress], now))
	}
	clear(s.staleIngresses)
	if names := b.refreshNames(); len(names) > 0 {
		s.index, changed = s.index.With(names), true
	}
	result = certificates{list: s.list, index: s.index}
	if s.fallback != nil {
		result.fallback = s.fallback.live
	}
	return result, changed
}

// refreshSecrets parses the stale Secrets, and returns the Certificates that differ, nil for one that is gone.
func (b *builder) refreshSecrets(now time.Time) map[routing.ObjectName]*routing.Certificate {
	s := &b.certificates
	replaced := make(map[routing.ObjectName]*routing.Certificate)
	start, done := time.Now(), 0
	for name := range s.staleSecrets {
		// Not before one Secret is parsed, so that every step makes progress.
		if s.budget > 0 && done > 0 && time.Since(start) > s.budget {
			break
		}
		done++
		delete(s.staleSecrets, name)
		p := s.pairs[name]
		if p == nil {
			continue
		}
		was := p.live
		if len(s.users[name]) == 0 {
			b.forgetPair(name)
			p.live = nil
		} else if !p.parsed {
			b.parse(p, name, b.absence(name))
		}
		for ingress, e := range s.users[name] {
			s.staleIngresses[ingress] = struct{}{}
			if p.live != was {
				e.namesOf(name, s.staleNames)
			}
		}
		if p.live != was {
			replaced[name] = p.live
			s.expect(p.live, now)
		}
	}
	return replaced
}

// parse reads a Secret again. absence is why it is not there, if it is not.
func (b *builder) parse(p *secretPair, name routing.ObjectName, absence string) {
	p.parsed = true
	secret := b.cache.secrets[name]
	if secret == nil {
		*p = secretPair{parsed: true, fault: absence}
		return
	}
	if p.from != nil && sameSecret(p.from, secret) {
		// Same bytes as the good one that is served: nothing to report.
		p.fault = ""
		return
	}
	pair, fault := parsePair(secret)
	if p.fault = fault; pair != nil {
		p.live, p.from = routing.NewCertificate(name, pair), secret
	}
}

// forgetPair drops a Secret that nothing refers to.
func (b *builder) forgetPair(name routing.ObjectName) {
	s := &b.certificates
	delete(s.users, name)
	delete(s.pairs, name)
	// Not before all Ingresses of the step are compiled, so that a namespace that one leaves and
	// another takes up stays read.
	n := s.namespaces[name.Namespace]
	if delete(n.named, name.Name); n.secrets > 1 {
		n.secrets--
	} else {
		delete(s.namespaces, name.Namespace)
		b.forgetSecrets(name.Namespace)
	}
}

// absence returns why a Secret is not there, or nothing while it may still arrive.
func (b *builder) absence(name routing.ObjectName) string {
	n := b.certificates.namespaces[name.Namespace]
	reason, asked := n.named[name.Name]
	switch {
	case b.cfg.Manifests == "" && (!n.read || n.byName() && !asked):
		return ""
	case n.byName() && reason != "":
		return reason
	case n.reason != "" && !n.byName():
		return n.reason
	}
	return "no such Secret of type kubernetes.io/tls in namespace " + name.Namespace
}

// few is how many changes are put into a sorted list one by one.
const few = 64

// replaceCertificates returns the list with the Certificates of some Secrets exchanged.
func replaceCertificates(list []*routing.Certificate, replaced map[routing.ObjectName]*routing.Certificate) []*routing.Certificate {
	if len(replaced) > few {
		list = slices.DeleteFunc(slices.Clone(list), func(c *routing.Certificate) bool {
			_, gone := replaced[c.Secret]
			return gone
		})
		list = slices.AppendSeq(list, maps.Values(replaced))
		list = slices.DeleteFunc(list, func(c *routing.Certificate) bool { return c == nil })
		slices.SortFunc(list, func(a, b *routing.Certificate) int { return compareNames(a.Secret, b.Secret) })
		return list
	}
	list = slices.Clone(list)
	for name, c := range replaced {
		i, found := slices.BinarySearchFunc(list, name, func(c *routing.Certificate, name routing.ObjectName) int {
			return compareNames(c.Secret, name)
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

func compareNames(a, b routing.ObjectName) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// lookAtClock marks the Ingresses whose Certificates have begun or ceased to be valid.
func (b *builder) lookAtClock(now time.Time) {
	s := &b.certificates
	if now.Before(s.looked) || !s.next.IsZero() && !now.Before(s.next) {
		s.next = time.Time{}
		for _, c := range s.list {
			if s.expect(c, now); validity(c.NotBefore, c.NotAfter, now) != validity(c.NotBefore, c.NotAfter, s.looked) {
				for ingress := range s.users[c.Secret] {
					s.staleIngresses[ingress] = struct{}{}
				}
			}
		}
		if s.fallback != nil {
			s.expect(s.fallback.live, now)
		}
	}
	s.looked = now
}

// expect lowers next to the next change of a Certificate's validity, if that is earlier.
func (s *certificateSet) expect(c *routing.Certificate, now time.Time) {
	if c == nil {
		return
	}
	// A Certificate is still good at NotAfter.
	for _, t := range [...]time.Time{c.NotBefore, c.NotAfter.Add(1)} {
		if t.After(now) && (s.next.IsZero() || t.Before(s.next)) {
			s.next = t
		}
	}
}

// validity is negative before a certificate is valid, and positive after.
func validity(notBefore, notAfter, now time.Time) int {
	switch {
	case now.Before(notBefore):
		return -1
	case now.After(notAfter):
		return 1
	}
	return 0
}

// rejectTLS returns the Rejections of an Ingress's tls sections.
func (b *builder) rejectTLS(e *entry, now time.Time) (list []Rejection) {
	if e == nil {
		return nil
	}
	for _, section := range e.tls {
		p := b.certificates.pairs[section.secret]
		field := sectionField(section.position)
		if p.fault != "" {
			list = append(list, rejectIngress(e.source, field, section.secret.Name, p.fault+p.instead()))
		}
		if p.live != nil {
			for _, reason := range section.objections(p.live, now, func(name string) bool { return b.coveredBy(e, name) }) {
				list = append(list, rejectIngress(e.source, field, section.secret.Name, reason))
			}
		}
	}
	return list
}

// coveredBy reports whether a Secret of the object's sections is good for a name.
func (b *builder) coveredBy(e *entry, name string) bool {
	return slices.ContainsFunc(e.tls, func(section tlsSection) bool {
		live := b.certificates.pairs[section.secret].live
		return live != nil && covers(live.Certificate.Leaf, name)
	})
}

// instead ends a Rejection with what is served in place of a faulty Secret.
func (p *secretPair) instead() string {
	if p.live != nil {
		return keptServed
	}
	return notServed
}

const (
	notServed  = "; its hosts get the default certificate"
	keptServed = "; the last good certificate of it stays in use until the Secret is deleted or the gateway restarts"
)

// namesOf adds the names for which the entry's sections claim a Secret.
func (e *entry) namesOf(secret routing.ObjectName, names map[string]struct{}) {
	for _, section := range e.tls {
		if section.secret == secret {
			for name := range section.claims(*e.source) {
				names[name] = struct{}{}
			}
		}
	}
}

// covers reports whether clients accept a certificate for a host. A wildcard host needs that very
// wildcard: no certificate has a wildcard above it. A certificate without any alternative name is judged
// by its common name; clients of today refuse it (RFC 6125 allowed it), and ingress-nginx serves it.
func covers(leaf *x509.Certificate, host string) bool {
	names := leaf.DNSNames
	if nameless(leaf) {
		names = []string{leaf.Subject.CommonName}
	}
	_, parent, _ := strings.Cut(host, ".")
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.TrimSuffix(strings.ToLower(name), ".")
		return name == host || parent != "" && name == "*."+parent
	})
}
