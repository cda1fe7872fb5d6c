package informer

import (
	"iter"

	"github.com/sluice-gateway/sluice/informer/internal/wildcard"
	"github.com/sluice-gateway/sluice/routing"
)

// A Host belongs to the namespace of the oldest object that names it. Settings of a whole Host (client
// certificates, passthrough, cipher suites, the certificate that is shown) are decided by objects of
// that namespace: a handshake has no path yet, so one object's choice holds for the paths of all
// others. Objects of other namespaces may add paths (OwnershipMerge), or nothing (OwnershipNamespace).
//
// A server name belongs to the owner of the Host that answers for it, and one without a Host to the
// oldest object with a tls section for it.
//
// Within a namespace nothing is separated: the right to write an Ingress there is the right to
// change the others.

const (
	// OwnershipMerge lets every namespace add paths to a Host.
	OwnershipMerge = "merge"
	// OwnershipNamespace leaves out what other namespaces than the owner have for a Host. The owner of a wildcard then
	// also has the names that the wildcard stands for, but for those that were there before it.
	OwnershipNamespace = "namespace"
)

// owner returns the namespace to which a Host belongs; owned is false where there is no such Host. In an exclusive set
// the owner of a wildcard also has the names that the wildcard stands for, but for those that were there before it.
func (s *hostSet) owner(name string) (namespace string, owned bool) {
	entries := s.byName[name]
	if len(entries) == 0 {
		if by, _, _ := s.claimant(name); by != nil {
			return by.namespace(), true
		}
		return "", false
	}
	oldest := entries[0]
	if above := s.byName[wildcard.Of(name)]; s.exclusive && len(above) > 0 && above[0].compare(oldest) < 0 {
		oldest = above[0]
	}
	return oldest.namespace(), true
}

// admitted returns the entries that make a Host, and the Rejections of those left out.
func (s *hostSet) admitted(name string) (entries []*entry, list []Rejection) {
	entries = s.byName[name]
	if !s.exclusive {
		return entries, nil
	}
	owner, _ := s.owner(name)
	own := make([]*entry, 0, len(entries))
	for _, e := range entries {
		if e.namespace() == owner {
			own = append(own, e)
			continue
		}
		list = append(list, rejectIngress(e.name(), "spec.rules", name,
			"the host belongs to another namespace, which named it first, and kubernetes.host_ownership is namespace; what this object has for it is left out"))
	}
	return own, list
}

// spread yields the Hosts that depend on a Host: those below a wildcard, where its owner decides about them or its TLS has
// changed, and the aliases of a host.
func (s *hostSet) spread(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if s.exclusive || s.sectionOf(name) != s.secure[name] {
			for below := range s.below.Below(name) {
				if !yield(below) {
					return
				}
			}
		}
		for _, e := range s.byName[name] {
			for _, c := range e.sentTo.claims {
				if c.host == name && !yield(c.name) {
					return
				}
			}
		}
	}
}

// A Rejection about an object of another namespace must show neither the namespace nor the content of
// that object: the Rejection is an Event in the loser's namespace.

// rivalOf names the winner as far as the loser may know.
func rivalOf(winner, loser *routing.Source) string {
	if winner != nil && winner.Ingress.Namespace == loser.Ingress.Namespace {
		return "Ingress " + winner.Ingress.String()
	}
	return "an object of another namespace"
}

// causeOf returns why the winner wins, as far as the loser may know.
func causeOf(winner, loser *routing.Source) string {
	if winner != nil && winner.Ingress.Namespace != loser.Ingress.Namespace && winner.Created != loser.Created {
		return "it is older"
	}
	return winner.WinsOver(loser)
}

// conflictRejections gives each conflict to the object that lost.
func conflictRejections(conflicts []routing.Conflict) (list []Rejection) {
	for _, c := range conflicts {
		field, value, reason := "spec.rules", c.Host+c.Path, c.Error()
		if c.Default {
			field, value = "spec.defaultBackend", c.Host
		}
		if c.Winner != nil && c.Winner.Ingress.Namespace != c.Loser.Ingress.Namespace {
			what := "the path"
			if c.Default {
				what = "the default backend"
			}
			reason = what + " is not served: " + rivalOf(c.Winner, c.Loser) + " has one for the same requests, and wins because " +
				causeOf(c.Winner, c.Loser) + "; remove or change this one"
		}
		list = append(list, rejectIngress(c.Loser.Ingress, field, value, reason))
	}
	return list
}
