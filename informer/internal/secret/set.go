package secret

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// Options decide how Secrets are read and names are shared. A plain value.
type Options struct {
	// Default is the Secret of the default certificate; the zero value for none.
	Default routing.ObjectName
	// OnDemand is true where Secrets are read once something refers to them, as from a cluster: a Secret that is not
	// here may still arrive.
	OnDemand bool
	// Exclusive is true where a name is served by its owner's namespace only.
	Exclusive bool
}

// Set holds the Secrets that are referred to, and what is made of them. Made by New; owned by one goroutine.
type Set struct {
	opts Options

	objects map[routing.ObjectName]*corev1.Secret
	// references has the Ingresses that refer to Secrets.
	references   map[routing.ObjectName]References
	certificates certificateSet
	credentials  credentialSet
	names        nameSet
	// fallback is the pair of the default certificate, nil where none is configured.
	fallback *pair
	clock    clock

	// stale are the Ingresses whose Faults are to be found again in this step.
	stale map[routing.ObjectName]struct{}
}

// New returns a Set without Secrets.
func New(opts Options) *Set {
	s := &Set{
		opts:         opts,
		objects:      make(map[routing.ObjectName]*corev1.Secret),
		references:   make(map[routing.ObjectName]References),
		certificates: newCertificateSet(),
		credentials:  newCredentialSet(),
		names:        newNameSet(opts.Exclusive),
		stale:        make(map[routing.ObjectName]struct{}),
	}
	if opts.Default != (routing.ObjectName{}) {
		s.fallback = new(pair)
		s.credentials.pin(opts.Default)
	}
	return s
}

// Apply stores the new state of a Secret, nil where it is gone, and returns the Ingresses to compile again.
func (s *Set) Apply(name routing.ObjectName, next *corev1.Secret) (affected []routing.ObjectName) {
	if !s.Takes(name, next) {
		return nil
	}
	old := s.objects[name]
	if next == nil {
		delete(s.objects, name)
	} else {
		s.objects[name] = next
	}
	if same(old, next) {
		return nil
	}
	s.certificates.changed(name)
	return s.credentialChanged(name)
}

func (s *Set) credentialChanged(name routing.ObjectName) (affected []routing.ObjectName) {
	if s.fallback != nil && name == s.opts.Default {
		s.fallback.parsed = false
	}
	return s.credentials.changed(name)
}

// Credential returns the content of a Secret that an annotation names, or nil and the reason; the reason is "" while the
// Secret may still arrive. The Secret is wanted from now on, and no longer than this step unless an Ingress refers to
// it.
func (s *Set) Credential(name routing.ObjectName) (m *Material, absence string) {
	c := s.credentials.want(name)
	secret := s.objects[name]
	if secret == nil {
		return nil, c.absence(name, s.opts.OnDemand)
	}
	if c.material == nil {
		c.material = parseMaterial(secret)
	}
	return c.material, ""
}

// Refer replaces the references of an Ingress, which is gone where next is the zero value.
func (s *Set) Refer(ingress routing.ObjectName, next References) {
	old := s.references[ingress]
	if len(next.Sections)+len(next.Credentials) > 0 {
		s.references[ingress] = next
	} else {
		delete(s.references, ingress)
	}
	s.credentials.refer(ingress, old.Credentials, next.Credentials)
	if !s.certificates.refer(ingress, old, next) {
		return
	}
	s.stale[ingress] = struct{}{}
	for name, c := range old.claims(ingress) {
		s.names.unclaim(name, c)
	}
	for name, c := range next.claims(ingress) {
		s.names.claim(name, c)
	}
}

// SetOwner notes the namespace to which a Host belongs; owned is false where there is no such Host.
func (s *Set) SetOwner(host, namespace string, owned bool) { s.names.setOwner(host, namespace, owned) }

// Result is what a step has made of the Secrets. The Faults of an Ingress or a name replace those of former steps;
// where there are none left the list is empty.
type Result struct {
	// Certificates are sorted by their Secrets. Neither they nor ServerNames are edited later.
	Certificates []*routing.Certificate
	ServerNames  *routing.CertificateIndex
	Default      *routing.Certificate
	// Changed is true where one of these differs from the step before.
	Changed bool

	// ByIngress has the Faults of sections, for the Ingresses that the step touched.
	ByIngress map[routing.ObjectName][]Fault
	// ByName has the Faults of sections that lose a server name, for the names that the step touched.
	ByName map[string][]Fault
	// OfDefault are the faults of the default certificate, all there are.
	OfDefault []string
}

// Refresh ends the step. budget bounds the time that is spent on parsing, 0 for no bound: what is left over is done by
// later steps (see Behind).
func (s *Set) Refresh(now time.Time, budget time.Duration) (r Result) {
	s.release(s.credentials.sweep())
	if r.Changed = s.refreshDefault(now); r.Changed {
		s.names.defaultChanged()
	}
	if s.refreshPairs(now, budget) {
		r.Changed = true
	}
	s.lookAtClock(now)
	r.ByIngress = make(map[routing.ObjectName][]Fault, len(s.stale))
	for ingress := range s.stale {
		r.ByIngress[ingress] = s.faults(ingress, now)
	}
	clear(s.stale)
	r.Default, r.OfDefault = s.fallback.certificate(), s.defaultFaults(now)
	served, lost := s.names.refresh(s.certificates.live, r.Default)
	r.Changed = r.Changed || served
	r.ByName = lost
	r.Certificates, r.ServerNames = s.certificates.list, s.names.index
	return r
}

// refreshPairs parses the stale Secrets of tls sections, and reports whether a Certificate changed.
func (s *Set) refreshPairs(now time.Time, budget time.Duration) (changed bool) {
	parsed, gone := s.certificates.refresh(s.find, budget)
	for _, p := range parsed {
		for ingress := range s.certificates.users[p.secret] {
			s.stale[ingress] = struct{}{}
			if p.changed {
				s.names.touch(s.references[ingress].claimsOf(ingress, p.secret))
			}
		}
		if p.changed {
			s.clock.expect(s.certificates.live(p.secret), now)
			changed = true
		}
	}
	s.release(gone)
	return changed
}

// find returns the object of a tls section's Secret, or why there is none; the reason is "" while it may still arrive.
func (s *Set) find(name routing.ObjectName) (secret *corev1.Secret, absence string) {
	if secret = s.objects[name]; secret != nil {
		return secret, ""
	}
	return nil, s.certificates.namespaces[name.Namespace].absence(name, s.opts.OnDemand)
}

// lookAtClock marks the Ingresses whose Certificates have begun or ceased to be valid.
func (s *Set) lookAtClock(now time.Time) {
	if s.clock.due(now) {
		s.clock.next = time.Time{}
		for _, c := range s.certificates.list {
			if s.clock.expect(c, now); validity(c, now) != validity(c, s.clock.looked) {
				for ingress := range s.certificates.users[c.Secret] {
					s.stale[ingress] = struct{}{}
				}
			}
		}
		s.clock.expect(s.fallback.certificate(), now)
	}
	s.clock.looked = now
}

// NextChange returns when a Certificate begins or ceases to be valid, or earlier; zero for never.
func (s *Set) NextChange() time.Time { return s.clock.next }

// Behind reports whether the last step left Secrets unparsed.
func (s *Set) Behind() bool { return len(s.certificates.stale) > 0 }

// Waiting reports whether a Secret that is referred to may be about to arrive, or to be parsed.
func (s *Set) Waiting() bool {
	return s.certificates.waiting() || s.credentials.waiting() || s.Behind()
}

// Served returns the Secret that the live Certificate of a name was made of, nil where there is none: the last good
// state of one that is broken now.
func (s *Set) Served(name routing.ObjectName) *corev1.Secret {
	if p := s.certificates.pairs[name]; p != nil && p.from != nil {
		return p.from
	}
	if s.fallback != nil && name == s.opts.Default {
		return s.fallback.from
	}
	return nil
}

// IsCredential reports whether an annotation or the configuration names a Secret.
func (s *Set) IsCredential(name routing.ObjectName) bool { return s.credentials.named[name] != nil }

// Held counts what is kept, by kind, but for the reference of the configuration to the default certificate. All counts
// are 0 once there is no Secret, no Ingress and no Host, and a step has ended.
func (s *Set) Held() map[string]int {
	held := map[string]int{
		"Secrets": len(s.objects), "references": len(s.references), "stale Ingresses": len(s.stale),
		"users of Secrets": len(s.certificates.users), "pairs": len(s.certificates.pairs),
		"namespaces of Secrets": len(s.certificates.namespaces), "Certificates": len(s.certificates.list),
		"stale Secrets": len(s.certificates.stale),
		"credentials":   len(s.credentials.named), "released credentials": len(s.credentials.released),
		"claims": len(s.names.claims), "owners": len(s.names.owners), "served names": len(s.names.served),
		"names in the index": s.names.index.Names(), "stale names": len(s.names.stale), "names below wildcards": len(s.names.below),
	}
	if s.fallback != nil {
		held["credentials"]--
	}
	return held
}
