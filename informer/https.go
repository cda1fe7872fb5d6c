package informer

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/wildcard"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// A host has TLS where an object that names it has a tls section, whatever the state of its Secret, as in ingress-nginx: then
// plain HTTP for it is sent to HTTPS. A section of another namespace than the host's counts for the paths of that namespace
// alone, or anybody could take a host of others off plain HTTP. A wildcard's counts for the names that it stands for, unless
// these are of another namespace and were there first.

// section names the object whose tls section counts for a wildcard. The zero value is that of none.
type section struct {
	by      routing.ObjectName
	created int64
}

// sectionOf returns the section that counts for a wildcard.
func (s *hostSet) sectionOf(name string) section {
	if !wildcard.Is(name) {
		return section{}
	}
	entries, _ := s.admitted(name)
	if i := s.securedBy(entries); i >= 0 {
		// Its age and namespace are what matters to the names below.
		return section{entries[0].name(), entries[0].source.Created}
	}
	return section{}
}

// securedBy returns which of the entries of a host has a tls section that counts for all, -1 for none.
func (s *hostSet) securedBy(entries []*entry) int {
	return slices.IndexFunc(entries, func(e *entry) bool { return e.sentTo.sections && e.namespace() == entries[0].namespace() })
}

// note remembers what a wildcard says of TLS, for spread.
func (s *hostSet) note(name string) {
	if now := s.sectionOf(name); now != (section{}) {
		s.secure[name] = now
	} else {
		delete(s.secure, name)
	}
}

// hasTLS reports whether the Routes of e on a Host have TLS. The Host is called name, and has what the host of has.
func (s *hostSet) hasTLS(name, of string, e *entry) bool {
	if name == "" {
		return false
	}
	entries, _ := s.admitted(of)
	if name == of {
		if s.securedBy(entries) >= 0 || slices.ContainsFunc(entries, func(o *entry) bool { return o.sentTo.sections && o.namespace() == e.namespace() }) {
			return true
		}
	} else if slices.ContainsFunc(entries, func(o *entry) bool {
		return slices.ContainsFunc(o.sentTo.claims, func(c claim) bool { return c.name == name && c.host == of && c.listed })
	}) {
		return true
	}
	above, _ := s.admitted(wildcard.Of(name))
	return s.securedBy(above) >= 0 && (above[0].namespace() == entries[0].namespace() || above[0].compare(entries[0]) < 0)
}

// lend gives the Routes of e on a Host the Source that they have there.
func (s *hostSet) lend(routes []routing.Route, name, of string, e *entry, tls *routing.HostTLS) {
	https := e.sentTo.https != nil && (e.sentTo.forced || s.hasTLS(name, of, e))
	if len(routes) == 0 || tls == nil && !https {
		return
	}
	open, secured := e.source, (*routing.Source)(nil)
	if tls != nil {
		source := *e.source
		source.TLS = tls
		open = &source
	}
	for i := range routes {
		routes[i].Source = open
		if !https || strings.HasPrefix(routes[i].Path, annotation.ACMEPath) {
			continue
		}
		if secured == nil {
			source := *open
			source.Policy = s.withHTTPS(e)
			secured = &source
		}
		routes[i].Source = secured
	}
}

// unmatched returns the Route for what a Host has no path for, where that is sent to HTTPS or guarded too: as the oldest object
// of the host wants it. It is nil where that is not so, or nothing is left.
func (s *hostSet) unmatched(name, of string, entries []*entry, routes []routing.Route, tls *routing.HostTLS) *routing.Route {
	first := entries[0]
	https := first.sentTo.https != nil && (first.sentTo.forced || s.hasTLS(name, of, first))
	// In ingress-nginx the rest of a host has the annotations of the object that was first to name it.
	guarded := first.controller == NginxController && (guards(first.source.Policy) || first.source.Policy != nil && first.source.Policy.Closed != "")
	if !https && !guarded || slices.ContainsFunc(routes, func(r routing.Route) bool { return r.Path == "/" && r.Type != routing.Exact }) {
		return nil
	}
	source := *first.source
	source.TLS = tls
	switch {
	case https && guarded:
		source.Policy = s.withHTTPS(first)
	case https:
		source.Policy = s.onlyHTTPS(first.sentTo.https)
	}
	return &routing.Route{
		Host: name, Path: "/", Type: routing.Prefix, Default: true, Backend: routing.Elsewhere, Source: &source, Anonymous: first.controller == NginxController,
	}
}

// withHTTPS returns the Policy of an object with its redirect to HTTPS. Most have no other: these share one.
func (s *hostSet) withHTTPS(e *entry) *policy.Policy {
	if e.sentTo.secured != nil {
		return e.sentTo.secured
	}
	return s.onlyHTTPS(e.sentTo.https)
}

// onlyHTTPS returns the Policy that has nothing but a redirect to HTTPS.
func (s *hostSet) onlyHTTPS(https *policy.HTTPS) *policy.Policy {
	shared := s.https[*https]
	if shared == nil {
		shared = securedPolicy(nil, https)
		s.https[*https] = shared
	}
	return shared
}

// securedPolicy returns p, which may be nil, with a redirect to HTTPS.
func securedPolicy(p *policy.Policy, https *policy.HTTPS) *policy.Policy {
	with := &policy.Policy{}
	if p != nil {
		*with = *p
		with.Filters = slices.Clone(p.Filters)
	}
	with.Set(https)
	return with
}
