package informer

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
)

// joinHost gathers the Routes of all entries that name a host, sorted by age, and what TLS connections
// for it are given. Both is decided once for a host, because there is no path yet when it matters:
//
//   - Client certificates: the oldest object that asks for them decides for all. Where it cannot be
//     carried out the host answers 503. A younger object that asks for something else answers 503
//     itself, because it would be served to clients that it does not know.
//   - Passthrough: the oldest object of the host decides, asking or not, so that nobody takes the
//     connections of a host over by adding an object later.
//   - Cipher suites: the oldest object that names some.
func joinHost(name string, entries []*entry) (routes []routing.Route, tls *routing.HostTLS, list []Rejection) {
	asking := slices.IndexFunc(entries, func(e *entry) bool { return e.clientAuth != nil || e.closesHosts })
	backend, passed, rejections := passHost(name, entries)
	suites, lost := hostCiphers(name, entries)
	var auth *routing.ClientAuth
	if asking >= 0 {
		auth = entries[asking].clientAuth
	}
	if auth != nil || passed || suites != nil {
		tls = &routing.HostTLS{ClientAuth: auth, Passthrough: passed, Backend: backend, CipherSuites: suites}
	}
	for i, e := range entries {
		at := len(routes)
		routes = append(routes, e.routesOf(name)...)
		own := routes[at:]
		closed := false
		if asking >= 0 {
			first := entries[asking]
			switch {
			case first.closesHosts:
				closed = true
				if i != asking && !first.authWaits && !e.closesHosts {
					list = append(list, rejectIngress(e.source, "spec.rules", name, "Ingress "+first.source.Ingress.String()+
						" asks for client certificates on this host, which cannot be verified; the host answers 503"))
				}
			case e.clientAuth != nil && !e.clientAuth.Equal(first.clientAuth):
				closed = true
				list = append(list, rejectIngress(e.source, "spec.rules", name, "Ingress "+first.source.Ingress.String()+
					" asks for other client certificates on this host, and wins because "+reasonOf(first, e)+"; the paths of this object answer 503 there"))
			}
		}
		if tls != nil {
			source := *e.source
			source.TLS = tls
			for j := range own {
				own[j].Source = &source
			}
		}
		if closed {
			for j := range own {
				own[j].Backend = unresolved
			}
		}
	}
	list = append(list, rejections...)
	return routes, tls, append(list, lost...)
}

// passHost decides whether the TLS connections of a host are passed on, and to which Backend.
func passHost(name string, entries []*entry) (backend int32, passed bool, list []Rejection) {
	const stays = "; its TLS connections end here"
	backend = unresolved
	first := entries[0]
	for i, e := range entries {
		refuse := func(reason string) {
			list = append(list, rejectIngress(e.source, "spec.rules", name, reason))
		}
		to, found := rootBackend(e.routesOf(name))
		switch {
		case i == 0 && !e.passthrough:
		case i == 0 && name == "":
			refuse("ssl-passthrough needs a host, because connections are told apart by it" + stays)
		case i == 0 && !found:
			refuse("ssl-passthrough needs a path / on this host" + stays)
		case i == 0:
			backend, passed = to, true
		case passed && (!e.passthrough || to != backend):
			refuse("Ingress " + first.source.Ingress.String() + " passes the TLS connections of this host on, and wins because " +
				reasonOf(first, e) + "; over TLS this object is not reached there")
		case e.passthrough && !passed:
			refuse("ssl-passthrough has no effect on this host: Ingress " + first.source.Ingress.String() + " decides because " + reasonOf(first, e) +
				", and does not pass them on" + stays)
		}
	}
	return backend, passed, list
}

// hostCiphers decides the cipher suites of a host, nil for the gateway's.
func hostCiphers(name string, entries []*entry) (suites []uint16, list []Rejection) {
	first := slices.IndexFunc(entries, func(e *entry) bool { return e.ciphers != "" })
	if first < 0 {
		return nil, nil
	}
	for _, e := range entries[first+1:] {
		if e.ciphers != "" && e.ciphers != entries[first].ciphers {
			list = append(list, rejectIngress(e.source, "spec.rules", name, "ssl-ciphers has no effect on this host: that of Ingress "+
				entries[first].source.Ingress.String()+" wins because "+reasonOf(entries[first], e)))
		}
	}
	// What is wrong with it was said when it was read.
	suites, _ = parseCiphers(entries[first].ciphers)
	return suites, list
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

// reasonOf says why an entry wins against a younger one.
func reasonOf(winner, loser *entry) string {
	return routing.Conflict{Winner: winner.source, Loser: loser.source}.Reason()
}
