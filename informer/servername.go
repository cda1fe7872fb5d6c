package informer

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// Which Certificates a server name is served with. Of the namespace that the name belongs to (see ownership.go)
// every claim counts whose Certificate is good for the name, one of each algorithm, the oldest first. Claims of
// other namespaces never take a name away from its owner, whatever the algorithm: a client that offers both
// would see a stranger's. They count, those of one namespace, where there is nothing to take away: the owner
// has no Certificate that is good for the name, and neither is the gateway's default one. (A host whose paths
// and whose certificate are in two namespaces is usual where it is shared; OwnershipNamespace ends it.)
//
// An exact name without a list of its own is served with that of its wildcard. Where the wildcard is
// not the owner's, the owner's own wildcard, or the default certificate, replaces it.

// refreshNames decides the stale names anew, and returns those whose Certificates changed.
func (b *builder) refreshNames() map[string][]*routing.Certificate {
	s := &b.certificates
	changed := make(map[string][]*routing.Certificate)
	// Wildcards first: the names below them depend on their Certificates.
	for _, wildcards := range [...]bool{true, false} {
		for name := range s.staleNames {
			if strings.HasPrefix(name, "*.") != wildcards {
				continue
			}
			delete(s.staleNames, name)
			if wildcards {
				for _, names := range [...]family{b.below, s.below} {
					for below := range names[name] {
						s.staleNames[below] = struct{}{}
					}
				}
			}
			list := b.decideName(name)
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
	return changed
}

// defaultReplaced marks the names whose Certificates depend on the default one.
func (b *builder) defaultReplaced() {
	s := &b.certificates
	for name := range s.claims {
		s.staleNames[name] = struct{}{}
	}
	for name := range b.byHost {
		if name != "" {
			s.staleNames[name] = struct{}{}
		}
	}
}

// decideName picks the Certificates of a name, and rejects the sections that list it and lose.
func (b *builder) decideName(name string) (list []*routing.Certificate) {
	s := &b.certificates
	claims := s.claims[name]
	owner, owned := b.nameOwner(name)
	if !owned && len(claims) > 0 {
		owner, owned = claims[0].source.Ingress.Namespace, true
	}
	var rejections []Rejection
	list, rejections = s.pick(name, claims, owner)
	foreign := slices.DeleteFunc(slices.Clone(claims), func(c claim) bool { return c.source.Ingress.Namespace == owner || !s.good(c, name) })
	found := len(list) > 0
	if owned && !found {
		list, found = b.ownWildcard(name, owner)
	}
	if !found && len(foreign) > 0 && !b.exclusive() && !s.defaultCovers(name) {
		var lost []Rejection
		list, lost = s.pick(name, foreign, foreign[0].source.Ingress.Namespace)
		rejections = append(rejections, lost...)
		winner := foreign[0].source.Ingress.Namespace
		foreign = slices.DeleteFunc(foreign, func(c claim) bool { return c.source.Ingress.Namespace == winner })
	}
	for _, c := range foreign {
		if c.listed {
			rejections = append(rejections, rejectIngress(&c.source, sectionField(c.section), c.secret.Name,
				"the certificate is not served for "+name+": the name belongs to another namespace, which decides"))
		}
	}
	b.rejected.replace(subject{ofServerName, routing.ObjectName{Name: name}}, rejections)
	return list
}

// good reports whether a claim has a Certificate that is good for the name.
func (s *certificateSet) good(c claim, name string) bool {
	live := s.pairs[c.secret].live
	return live != nil && covers(live.Certificate.Leaf, name)
}

// pick returns the Certificates that a namespace's claims have for a name, one of each algorithm, and
// rejects those that list the name and lose. The list is nil where there are none.
func (s *certificateSet) pick(name string, claims []claim, namespace string) (list []*routing.Certificate, lost []Rejection) {
	var winners []claim
	for _, c := range claims {
		if c.source.Ingress.Namespace != namespace || !s.good(c, name) {
			continue
		}
		live := s.pairs[c.secret].live
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

// ownWildcard reports whether a name that has no list of its own is served with its owner's, by a wildcard
// or as the default. The list keeps another namespace's wildcard from the name, where there is one.
func (b *builder) ownWildcard(name, owner string) (list []*routing.Certificate, found bool) {
	s := &b.certificates
	wildcard := wildcardOf(name)
	above := s.served[wildcard]
	if len(above) == 0 {
		return nil, false
	}
	if above[0].Secret.Namespace == owner {
		return nil, true
	}
	if list, _ = s.pick(name, s.claims[wildcard], owner); len(list) > 0 {
		return list, true
	}
	if len(b.byHost[name]) > 0 && s.defaultCovers(name) {
		return []*routing.Certificate{s.fallback.live}, true
	}
	return nil, false
}

// defaultCovers reports whether the default certificate is configured, and good for a name.
func (s *certificateSet) defaultCovers(name string) bool {
	return s.fallback != nil && s.fallback.live != nil && covers(s.fallback.live.Certificate.Leaf, name)
}

// lost is the Rejection of a claim whose Certificate is not served for a name, because another claim
// of the same namespace has the same algorithm.
func (c claim) lost(name string, live *routing.Certificate, to claim) Rejection {
	return rejectIngress(&c.source, sectionField(c.section), c.secret.Name,
		live.Algorithm().String()+" certificate is not served for "+name+": that of Secret "+to.secret.String()+" in Ingress "+to.source.Ingress.String()+
			" wins because "+to.source.WinsOver(&c.source)+"; keep only one of each algorithm")
}
