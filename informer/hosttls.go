package informer

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// joinHost gathers the Routes of all entries that name a host, sorted by age, and the HostTLS of the host, for a Host called
// name, which is the host itself or an alias of it. TLS is decided once for a host, because a handshake has no path yet, and by
// objects of the namespace that the host belongs to, which is that of the first entry:
//
//   - Client certificates: the oldest object of that namespace that asks for them decides for all. Where
//     its settings cannot be carried out the host is closed. Another object that asks for something
//     else answers 503 itself, because it would be served to clients that it does not know.
//   - Passthrough: the oldest object of the host decides, asking or not, so that no object added
//     later takes the connections of a host over.
//   - Cipher suites: the oldest object of that namespace that names some.
func (s *hostSet) joinHost(name, of string, entries []*entry) (routes []routing.Route, tls *routing.HostTLS, list []Rejection) {
	asked := askingOf(entries)
	auth := asked.auth()
	backend, passed, rejections := passHost(of, entries)
	suites, lost := hostCiphers(of, entries)
	if auth != nil || passed || suites != nil {
		tls = &routing.HostTLS{ClientAuth: auth, Passthrough: passed, Backend: backend, CipherSuites: suites}
	}
	for _, e := range entries {
		at := len(routes)
		routes = append(routes, e.routesOf(of)...)
		own := routes[at:]
		s.lend(own, name, of, e, tls)
		closed, reason := asked.closes(e)
		if closed {
			for i := range own {
				own[i].Backend = asked.closing()
			}
		}
		if reason != "" {
			list = append(list, rejectIngress(e.name(), "spec.rules", name, reason))
		}
	}
	list = append(list, rejections...)
	return routes, tls, append(list, lost...)
}

// asking is the object that decides for a host about client certificates, nil where none of the owner's asks for some.
type asking struct {
	owner string
	first *entry
}

func askingOf(entries []*entry) asking {
	a := asking{owner: entries[0].namespace()}
	for _, e := range entries {
		if e.namespace() == a.owner && (e.clientAuth != nil || e.closesHosts) {
			a.first = e
			break
		}
	}
	return a
}

// closing is the Backend of Routes that are closed: see entry.forbids.
func (a asking) closing() int32 {
	if a.first != nil && a.first.forbids {
		return routing.Forbidden
	}
	return unresolved
}

func (a asking) auth() *routing.ClientAuth {
	if a.first == nil {
		return nil
	}
	return a.first.clientAuth
}

// closes reports whether the paths of an entry answer 503 on the host, and why where its author is to know.
func (a asking) closes(e *entry) (closed bool, reason string) {
	differs := e.clientAuth != nil && !e.clientAuth.Equal(a.auth())
	switch {
	case a.first != nil && a.first.closesHosts:
		if e != a.first && !a.first.authWaits && !e.closesHosts {
			reason = rivalOf(a.first.source, e.source) + " asks for client certificates on this host, which cannot be verified; the host is closed"
		}
		return true, reason
	case e.namespace() != a.owner && (e.closesHosts || differs):
		if !e.authWaits {
			reason = "client certificates are asked for on a whole host, " +
				"and this one belongs to another namespace, which does not ask for the same; the paths of this object answer 503 there"
		}
		return true, reason
	case a.first != nil && differs:
		return true, rivalOf(a.first.source, e.source) + " asks for other client certificates on this host, and wins because " +
			causeOf(a.first.source, e.source) + "; the paths of this object answer 503 there"
	}
	return false, ""
}

// passHost decides whether the TLS connections of a host are passed on, and to which Backend.
func passHost(name string, entries []*entry) (backend int32, passed bool, list []Rejection) {
	const stays = "; its TLS connections end here"
	backend = unresolved
	first := entries[0]
	for i, e := range entries {
		refuse := func(reason string) {
			list = append(list, rejectIngress(e.name(), "spec.rules", name, reason))
		}
		to, found := rootBackend(e.routesOf(name))
		guarded := guards(e.source.Policy)
		switch {
		case i == 0 && !e.passthrough:
		case i == 0 && name == "":
			refuse("ssl-passthrough needs a host, because connections are told apart by it" + stays)
		case i == 0 && !found && e.controller == NginxController:
			// As in ingress-nginx. The gateway would end TLS that was meant for Pods alone.
			passed = true
			refuse("ssl-passthrough needs a path / on this host; its TLS connections are closed")
		case i == 0 && !found:
			refuse("ssl-passthrough needs a path / on this host" + stays)
		case i == 0 && guarded:
			// To no Backend: neither addresses nor passwords are checked where connections are passed on.
			passed = true
			refuse("the object says who may ask, which is not looked at where connections are passed on; its TLS connections are closed")
		case i == 0:
			backend, passed = to, true
		case passed && (!e.passthrough || to != backend || guarded):
			refuse(rivalOf(first.source, e.source) + " passes the TLS connections of this host on, and wins because " +
				causeOf(first.source, e.source) + "; over TLS this object is not reached there")
		case e.passthrough && !passed:
			refuse("ssl-passthrough has no effect on this host: " + rivalOf(first.source, e.source) + " decides because " + causeOf(first.source, e.source) +
				", and does not pass them on" + stays)
		}
	}
	return backend, passed, list
}

// guards reports whether a Policy says who may ask.
func guards(p *policy.Policy) bool {
	return slices.ContainsFunc(conditions, func(k policy.Kind) bool { return p.Filter(k) != nil })
}

// hostCiphers decides the cipher suites of a host, nil for the gateway's.
func hostCiphers(name string, entries []*entry) (suites []uint16, list []Rejection) {
	owner := entries[0].namespace()
	first := slices.IndexFunc(entries, func(e *entry) bool { return e.ciphers != "" && e.namespace() == owner })
	for i, e := range entries {
		const lost = "ssl-ciphers has no effect on this host: "
		switch {
		case e.ciphers != "" && name == "":
			list = append(list, rejectIngress(e.name(), "spec.rules", name, lost+"it needs a host, because clients that ask for no name may want any"))
		case e.ciphers == "" || i == first || first >= 0 && e.ciphers == entries[first].ciphers:
		case e.namespace() != owner:
			list = append(list, rejectIngress(e.name(), "spec.rules", name, lost+"it belongs to another namespace, which decides"))
		default:
			list = append(list, rejectIngress(e.name(), "spec.rules", name, lost+"that of "+
				rivalOf(entries[first].source, e.source)+" wins because "+causeOf(entries[first].source, e.source)))
		}
	}
	if first < 0 || name == "" {
		return nil, list
	}
	return entries[first].ciphers.IDs(), list
}

// rootBackend returns the Backend of path "/", which ingress-nginx passes connections to.
func rootBackend(routes []routing.Route) (backend int32, found bool) {
	for _, r := range routes {
		if r.Path == "/" && !r.Default {
			return r.Backend, true
		}
	}
	return unresolved, false
}
