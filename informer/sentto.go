package informer

import (
	"cmp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/wildcard"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// sentTo is what an object asks for of its hosts as a whole, beside TLS: more names of them, and where requests are sent that
// come in the clear, for / or for another name. The zero value asks for nothing.
type sentTo struct {
	// https is the redirect to HTTPS, nil for none. forced has it on hosts without TLS too.
	https  *policy.HTTPS
	forced bool
	// secured is the Policy of the object with https; nil where that is all there is.
	secured *policy.Policy
	// plain are the beginnings of the paths that are not sent to HTTPS, and code is the status for the names of claims.
	plain []string
	code  int
	// sections is true for an object with a tls section.
	sections bool
	// appRoot is where requests for / are sent; nil for nowhere.
	appRoot *policy.Redirect
	// appRootField names the annotation.
	appRootField string
	// slash is the redirect of a path without the slash at its end.
	slash policy.Slash
	// claims are the names that the object wants beside its hosts, sorted.
	claims []claim
}

// claim is a name that an object wants for one of its hosts: an alias of it, or, with www, one whose requests are sent to it.
type claim struct {
	name, host string
	field      string // of the annotation
	www        bool
	listed     bool // a tls section of the object has it
}

func (c claim) compare(o claim) int {
	return cmp.Or(strings.Compare(c.name, o.name), strings.Compare(c.host, o.host))
}

func newSentTo(s *annotation.Settings, e *entry, ing *networkingv1.Ingress) sentTo {
	t := sentTo{forced: s.ForceHTTPS, sections: len(ing.Spec.TLS) > 0, slash: s.SlashRedirect(), plain: s.PlainPaths, code: s.HostRedirectCode()}
	field := func(key string) string { return annotationField(annotation.Name(ing.Annotations, key)) }
	if s.ForceHTTPS || s.HTTPS == annotation.Yes || s.HTTPS == annotation.Unsaid && e.controller == NginxController {
		t.https = s.HTTPSRedirect()
		if p := e.source.Policy; !p.Empty() {
			t.secured = securedPolicy(p, t.https)
		}
	}
	if s.AppRoot != "" && s.Policy.Closed == "" {
		t.appRoot, t.appRootField = s.AppRootRedirect(), field("app-root")
	}
	listed := func(name string) bool {
		return slices.ContainsFunc(ing.Spec.TLS, func(section networkingv1.IngressTLS) bool {
			return slices.ContainsFunc(section.Hosts, func(host string) bool { return strings.EqualFold(host, name) })
		})
	}
	for _, h := range e.hosts {
		if h.name == "" {
			continue
		}
		for _, name := range s.Aliases {
			if name != h.name {
				t.claims = append(t.claims, claim{name: name, host: h.name, field: field("server-alias"), listed: listed(name)})
			}
		}
		if s.FromToWWW && !wildcard.Is(h.name) {
			t.claims = append(t.claims, claim{name: wwwOf(h.name), host: h.name, field: field("from-to-www-redirect"), www: true})
		}
	}
	slices.SortFunc(t.claims, claim.compare)
	return t
}

// wwwOf returns the name with www. where name has none, and without it otherwise.
func wwwOf(name string) string {
	if rest, ok := strings.CutPrefix(name, "www."); ok {
		return rest
	}
	return "www." + name
}

func (t *sentTo) equal(o *sentTo) bool {
	return (t.https == o.https || t.https != nil && o.https != nil && *t.https == *o.https) &&
		(t.appRoot == o.appRoot || t.appRoot != nil && o.appRoot != nil && *t.appRoot == *o.appRoot) &&
		t.forced == o.forced && t.appRootField == o.appRootField && t.sections == o.sections && t.slash == o.slash && t.code == o.code &&
		slices.Equal(t.plain, o.plain) && slices.Equal(t.claims, o.claims)
}

// isPlain reports whether a Route with a path is served without HTTPS too.
func (t *sentTo) isPlain(path string) bool {
	return slices.ContainsFunc(t.plain, func(beginning string) bool { return strings.HasPrefix(path, beginning) })
}

// names returns the names of the claims, once each.
func (t *sentTo) names() (list []string) {
	for i, c := range t.claims {
		if i == 0 || t.claims[i-1].name != c.name {
			list = append(list, c.name)
		}
	}
	return list
}

// aliases reports whether the object has aliases for a host.
func (t *sentTo) aliases(host string) bool {
	return slices.ContainsFunc(t.claims, func(c claim) bool { return !c.www && c.host == host })
}

// claimant returns the entry that has a name which is no host, nil where none has. of is the host that the name is an alias of,
// and "" where the name's requests are sent to another one. A claim never takes a name from an object that has it as a host.
func (s *hostSet) claimant(name string) (by *entry, of string, list []Rejection) {
	var www *entry
	var held claim // by's
	lose := func(e *entry, c claim, reason string) {
		list = append(list, rejectIngress(e.name(), c.field, name, reason+"; it has no effect for this name"))
	}
	for _, e := range s.claimed[name] {
		above := s.byName[wildcard.Of(name)]
		barred := s.exclusive && len(above) > 0 && above[0].namespace() != e.namespace() && above[0].compare(e) < 0
		for _, c := range e.sentTo.claims {
			if c.name != name {
				continue
			}
			owner, _ := s.owner(c.host)
			switch {
			case barred:
				lose(e, c, "the name belongs to another namespace, which has a wildcard for it, and kubernetes.host_ownership is namespace")
			case owner != e.namespace():
				lose(e, c, "the host "+c.host+" belongs to another namespace, which decides")
			case c.www:
				if www == nil {
					www = e
				}
			case !s.speaksFor(e, c.host):
				lose(e, c, "the oldest object of "+c.host+" with aliases decides")
			case by == nil:
				by, held = e, c
			case by.namespace() != e.namespace():
				lose(e, c, "an object of another namespace wants it too, and is older")
			case c.host < held.host:
				lose(by, held, "the host "+c.host+" wants it too, and sorts first")
				by, held = e, c
			case c.host != held.host:
				lose(e, c, "the host "+held.host+" wants it too, and sorts first")
			}
		}
	}
	if by == nil {
		return www, "", list
	}
	return by, held.host, list
}

// speaksFor reports whether the aliases of e, which is of a host's namespace, count for the host.
func (s *hostSet) speaksFor(e *entry, host string) bool {
	entries, _ := s.admitted(host)
	i := slices.IndexFunc(entries, func(o *entry) bool { return o.namespace() == e.namespace() && o.sentTo.aliases(host) })
	return i >= 0 && entries[i] == e
}

// refuseClaims returns the Rejections of claims for a name that is a host.
func (s *hostSet) refuseClaims(name string) (list []Rejection) {
	for _, e := range s.claimed[name] {
		for _, c := range e.sentTo.claims {
			switch {
			case c.name != name:
			case c.www:
				list = append(list, rejectIngress(e.name(), c.field, name,
					"an object has this name as a host; its requests are not sent to "+c.host))
			default:
				list = append(list, rejectIngress(e.name(), c.field, name,
					"an object has this name as a host, and wins; it is no alias"))
			}
		}
	}
	return list
}

// wwwRoute is that of the Host name, all whose requests are sent to one of e's.
func (e *entry) wwwRoute(name string) routing.Route {
	source := *e.source
	source.Policy = alone(annotation.HostRedirect(wwwOf(name), e.sentTo.code))
	if e.controller == NginxController {
		source.Policy.StrictTransport = policy.NoTransport // nginx redirects before it says anything of TLS
	}
	return routing.Route{Host: name, Path: "/", Type: routing.Prefix, Backend: unresolved, Source: &source, Anonymous: e.controller == NginxController}
}

// alone is the Policy of a Route that does nothing else. Whatever the size of a body, it is not read.
func alone(r *policy.Redirect) *policy.Policy {
	p := &policy.Policy{Limits: policy.Limits{BodyBytes: -1}}
	p.Set(r)
	return p
}

// appRoot returns the Route of app-root on a host, nil for none. It has exactly that path, whose ever it is otherwise.
func appRoot(host string, entries []*entry, tls *routing.HostTLS) (root *routing.Route, list []Rejection) {
	owner := entries[0].namespace()
	var winner *entry
	longest := -1
	for _, e := range entries {
		if e.sentTo.appRoot == nil {
			continue
		}
		if e.namespace() != owner {
			list = append(list, rejectIngress(e.name(), e.sentTo.appRootField, e.sentTo.appRoot.To, "the host "+host+" belongs to another namespace, which decides; its / is not redirected"))
			continue
		}
		n := 0
		for _, w := range e.onHost(host).written {
			n = max(n, len(w.text))
		}
		loser := e
		if n > longest {
			winner, loser, longest = e, winner, n
		}
		if loser != nil {
			list = append(list, rejectIngress(loser.name(), loser.sentTo.appRootField, loser.sentTo.appRoot.To, rivalOf(winner.source, loser.source)+
				" redirects / of the host "+host+" too, and wins because it has the longest path there, or is older"))
		}
	}
	if winner == nil {
		return nil, list
	}
	source := *winner.source
	source.Policy, source.TLS = alone(winner.sentTo.appRoot), tls
	if p := winner.source.Policy; p != nil {
		source.Policy.StrictTransport = p.StrictTransport
	}
	return &routing.Route{
		Host: host, Path: "/", Type: routing.Exact, Backend: unresolved, Source: &source, Anonymous: winner.controller == NginxController,
	}, list
}

// rooted puts root, which may be nil, among the Routes of a host, and takes out what it stands for.
func rooted(host string, routes []routing.Route, root *routing.Route) (joined []routing.Route, list []Rejection) {
	if root == nil {
		return routes, nil
	}
	joined = slices.DeleteFunc(routes, func(r routing.Route) bool {
		if r.Type != routing.Exact || r.Path != "/" {
			return false
		}
		list = append(list, rejectIngress(r.Source.Ingress, "spec.rules", host+"/", "the path is not served: "+rivalOf(root.Source, r.Source)+
			" sends requests for / of the host elsewhere, by app-root"))
		return true
	})
	return append(joined, *root), list
}
