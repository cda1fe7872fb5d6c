package secret

import (
	"iter"
	"slices"

	"github.com/sluice-gateway/sluice/informer/internal/wildcard"
	"github.com/sluice-gateway/sluice/routing"
)

// Which Certificates a server name is served with. A name is claimed by the tls sections that list it, and by those of
// an object whose rules have it while no section lists it. A name belongs to the owner of the Host that answers for it,
// and one without a Host to the oldest object that claims it.
//
// Of the owner's namespace every claim counts whose Certificate is good for the name, one of each algorithm, the oldest
// first. Claims of other namespaces never take a name away from its owner, whatever the algorithm: a client that offers
// both algorithms would see a stranger's certificate. The claims of one other namespace count where there is nothing to
// take away: the owner has no Certificate that is good for the name, and neither is the gateway's default one. (A host
// whose paths and whose certificate are in two namespaces is usual where the host is shared; an exclusive Set ends it.)
//
// An exact name without a list of its own is served with that of its wildcard. Where the wildcard is not the owner's,
// the owner's own wildcard, or the default certificate, replaces it.

// nameSet decides for which names Certificates are served. index is never edited, only replaced, because Snapshots share
// it.
type nameSet struct {
	exclusive bool
	// claims has the claims of each name, the best first, owners the namespace of each Host, "" being the catch-all.
	claims map[string][]claim
	owners map[string]string
	// below has the exact names of both.
	below wildcard.Family
	// served has the Certificates of each name that has some.
	served map[string][]*routing.Certificate
	index  *routing.CertificateIndex

	// stale are the names to be decided anew in this step.
	stale map[string]struct{}

	// Valid during refresh:
	live     func(secret routing.ObjectName) *routing.Certificate
	fallback *routing.Certificate
}

func newNameSet(exclusive bool) nameSet {
	return nameSet{
		exclusive: exclusive,
		claims:    make(map[string][]claim),
		owners:    make(map[string]string),
		below:     make(wildcard.Family),
		served:    make(map[string][]*routing.Certificate),
		stale:     make(map[string]struct{}),
	}
}

// claim adds a claim to a name.
func (s *nameSet) claim(name string, c claim) {
	list := s.claims[name]
	i, _ := slices.BinarySearchFunc(list, c, claim.compare)
	s.claims[name] = slices.Insert(list, i, c)
	s.below.Add(name)
	s.stale[name] = struct{}{}
}

// unclaim takes a claim back.
func (s *nameSet) unclaim(name string, c claim) {
	list := s.claims[name]
	if i, ok := slices.BinarySearchFunc(list, c, claim.compare); ok {
		list = slices.Delete(list, i, i+1)
	}
	if s.claims[name] = list; len(list) == 0 {
		delete(s.claims, name)
		s.forgetBelow(name)
	}
	s.stale[name] = struct{}{}
}

// touch marks names whose claims have another Certificate now.
func (s *nameSet) touch(claims iter.Seq2[string, claim]) {
	for name := range claims {
		s.stale[name] = struct{}{}
	}
}

// setOwner notes to which namespace a Host belongs, and marks the names for which it answers.
func (s *nameSet) setOwner(host, namespace string, owned bool) {
	if was, known := s.owners[host]; known == owned && was == namespace {
		return
	}
	if owned {
		s.owners[host] = namespace
		s.below.Add(host)
	} else {
		delete(s.owners, host)
		s.forgetBelow(host)
	}
	if host == "" {
		// The catch-all answers for every name that no other Host has.
		for name := range s.claims {
			s.stale[name] = struct{}{}
		}
		return
	}
	// A wildcard's mark spreads to the names below it; see refresh.
	s.stale[host] = struct{}{}
}

func (s *nameSet) forgetBelow(name string) {
	if _, owned := s.owners[name]; !owned && s.claims[name] == nil {
		s.below.Remove(name)
	}
}

// defaultChanged marks the names whose Certificates depend on the default one.
func (s *nameSet) defaultChanged() {
	for name := range s.claims {
		s.stale[name] = struct{}{}
	}
	for host := range s.owners {
		if host != "" {
			s.stale[host] = struct{}{}
		}
	}
}

// refresh decides the stale names anew. It reports whether a name is served differently, and returns the Faults of each
// decided name. live returns the Certificate of a Secret, nil for none; fallback is the default one.
func (s *nameSet) refresh(live func(routing.ObjectName) *routing.Certificate, fallback *routing.Certificate) (differs bool, faults map[string][]Fault) {
	s.live, s.fallback = live, fallback
	faults = make(map[string][]Fault, len(s.stale))
	changed := make(map[string][]*routing.Certificate)
	// Wildcards first: the names below them depend on their Certificates.
	for _, wildcards := range [...]bool{true, false} {
		for name := range s.stale {
			if wildcard.Is(name) != wildcards {
				continue
			}
			delete(s.stale, name)
			if wildcards {
				for below := range s.below.Below(name) {
					s.stale[below] = struct{}{}
				}
			}
			var list []*routing.Certificate
			list, faults[name] = s.decide(name)
			if slices.Equal(list, s.served[name]) {
				continue
			}
			if changed[name] = list; list != nil {
				s.served[name] = list
			} else {
				delete(s.served, name)
			}
		}
	}
	if len(changed) > 0 {
		s.index = s.index.With(changed)
	}
	return len(changed) > 0, faults
}

// owner returns the namespace whose Host answers for a name, exact or wildcard.
func (s *nameSet) owner(name string) (namespace string, owned bool) {
	for _, host := range [...]string{name, wildcard.Of(name), ""} {
		if namespace, owned = s.owners[host]; owned {
			return namespace, true
		}
	}
	return "", false
}

// decide picks the Certificates of a name, and the Faults of the sections that list it and lose.
func (s *nameSet) decide(name string) (list []*routing.Certificate, lost []Fault) {
	claims := s.claims[name]
	owner, owned := s.owner(name)
	if !owned && len(claims) > 0 {
		owner, owned = claims[0].namespace(), true
	}
	list, lost = s.pick(name, claims, owner)
	foreign := slices.DeleteFunc(slices.Clone(claims), func(c claim) bool { return c.namespace() == owner || !isGood(s.live(c.secret), name) })
	found := len(list) > 0
	if owned && !found {
		list, found = s.ownWildcard(name, owner)
	}
	if !found && len(foreign) > 0 && !s.exclusive && !isGood(s.fallback, name) {
		winner := foreign[0].namespace()
		var others []Fault
		list, others = s.pick(name, foreign, winner)
		lost = append(lost, others...)
		foreign = slices.DeleteFunc(foreign, func(c claim) bool { return c.namespace() == winner })
	}
	for _, c := range foreign {
		if c.listed {
			lost = append(lost, c.fault("the certificate is not served for "+name+": the name belongs to another namespace, which decides"))
		}
	}
	return list, lost
}

func (c claim) namespace() string { return c.source.Ingress.Namespace }

// pick returns the Certificates that a namespace's claims have for a name, one of each algorithm, and the Faults of
// those that list the name and lose. The list is nil where there are none.
func (s *nameSet) pick(name string, claims []claim, namespace string) (list []*routing.Certificate, lost []Fault) {
	var winners []claim
	for _, c := range claims {
		live := s.live(c.secret)
		if c.namespace() != namespace || !isGood(live, name) {
			continue
		}
		i := slices.IndexFunc(list, func(o *routing.Certificate) bool { return o.Algorithm() == live.Algorithm() })
		if i < 0 {
			list, winners = append(list, live), append(winners, c)
		} else if c.listed && winners[i].secret != c.secret {
			lost = append(lost, c.lost(name, live, winners[i]))
		}
	}
	slices.SortFunc(list, (*routing.Certificate).CompareAlgorithm)
	return list, lost
}

// lost is the Fault of a claim whose Certificate is not served for a name, because another claim of the same namespace
// has the same algorithm.
func (c claim) lost(name string, live *routing.Certificate, to claim) Fault {
	return c.fault(live.Algorithm().String() + " certificate is not served for " + name +
		": that of Secret " + to.secret.String() + " in Ingress " + to.source.Ingress.String() +
		" wins because " + to.source.WinsOver(&c.source) + "; keep only one of each algorithm")
}

// ownWildcard reports whether a name that has no list of its own is served with its owner's, by a wildcard or as the
// default. The list keeps another namespace's wildcard from the name, where there is one.
func (s *nameSet) ownWildcard(name, owner string) (list []*routing.Certificate, found bool) {
	above := wildcard.Of(name)
	served := s.served[above]
	if len(served) == 0 {
		return nil, false
	}
	if served[0].Secret.Namespace == owner {
		return nil, true
	}
	if list, _ = s.pick(name, s.claims[above], owner); len(list) > 0 {
		return list, true
	}
	if _, host := s.owners[name]; host && isGood(s.fallback, name) {
		return []*routing.Certificate{s.fallback}, true
	}
	return nil, false
}
