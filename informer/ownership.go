package informer

import (
	"strings"

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
	// OwnershipNamespace leaves out what other namespaces than the owner have for a Host. The owner of a
	// wildcard then also has the names that it stands for, but for those that were there before it.
	OwnershipNamespace = "namespace"
)

func (e *entry) namespace() string { return e.source.Ingress.Namespace }

// exclusive reports whether a Host has paths of one namespace only.
func (b *builder) exclusive() bool { return b.cfg.HostOwnership == OwnershipNamespace }

// hostOwner returns the namespace to which a Host belongs.
func (b *builder) hostOwner(name string) (namespace string, owned bool) {
	entries := b.byHost[name]
	if above := b.byHost[wildcardOf(name)]; b.exclusive() && len(above) > 0 &&
		(len(entries) == 0 || above[0].compare(entries[0]) < 0) {
		return above[0].namespace(), true
	}
	if len(entries) == 0 {
		return "", false
	}
	return entries[0].namespace(), true
}

// nameOwner returns the namespace whose Host answers for a server name, exact or wildcard.
func (b *builder) nameOwner(name string) (namespace string, owned bool) {
	for _, host := range [...]string{name, wildcardOf(name), ""} {
		if host == "" && len(b.byHost[host]) == 0 || host == "*" {
			continue
		}
		if namespace, owned = b.hostOwner(host); owned {
			return namespace, true
		}
	}
	return "", false
}

// admitted returns the entries that make a Host, and the Rejections of those left out.
func (b *builder) admitted(name string) (entries []*entry, list []Rejection) {
	entries = b.byHost[name]
	if !b.exclusive() {
		return entries, nil
	}
	owner, _ := b.hostOwner(name)
	own := make([]*entry, 0, len(entries))
	for _, e := range entries {
		if e.namespace() == owner {
			own = append(own, e)
			continue
		}
		list = append(list, rejectIngress(e.source, "spec.rules", name,
			"the host belongs to another namespace, which named it first, and kubernetes.host_ownership is namespace; what this object has for it is left out"))
	}
	return own, list
}

// spreadOwnership marks everything that depends on the owners of the Hosts that the step touches.
func (b *builder) spreadOwnership() {
	s := &b.certificates
	for name := range b.dirtyHosts {
		switch {
		case name == "":
			// The catch-all answers for every name that no other Host has.
			for claimed := range s.claims {
				s.staleNames[claimed] = struct{}{}
			}
			continue
		case strings.HasPrefix(name, "*."):
			for host := range b.below[name] {
				if b.exclusive() {
					b.dirtyHosts[host] = struct{}{}
				}
			}
			for claimed := range s.below[name] {
				s.staleNames[claimed] = struct{}{}
			}
		}
		s.staleNames[name] = struct{}{}
	}
}

// wildcardOf returns the wildcard that stands for an exact name, or "*" (no Host's name) where there is none.
func wildcardOf(name string) string {
	if strings.HasPrefix(name, "*.") {
		return "*"
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return "*." + parent
	}
	return "*"
}

// family holds the exact names for which each wildcard stands.
type family map[string]map[string]struct{}

func (f family) add(name string) {
	w := wildcardOf(name)
	if w == "*" {
		return
	}
	if f[w] == nil {
		f[w] = make(map[string]struct{})
	}
	f[w][name] = struct{}{}
}

func (f family) remove(name string) {
	w := wildcardOf(name)
	if delete(f[w], name); len(f[w]) == 0 {
		delete(f, w)
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
		list = append(list, rejectIngress(c.Loser, field, value, reason))
	}
	return list
}
