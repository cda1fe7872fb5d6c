package informer

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Canaries are found by host, path and type. What they then take part in depends on the class:
//
//   - In ingress-nginx a canary is one of the Service and port that the path leads to, in whichever objects, hosts and paths
//     these are used. So it is where both objects are taken over from there: finds says at which hosts such an upstream was
//     found, and a change of what is found at one host touches all Hosts with Routes to the upstream. A canary of another
//     namespace is as good there as one of the same, as in ingress-nginx, unless kubernetes.host_ownership is namespace.
//   - Elsewhere it is one of the Route alone, and of the same namespace, or anybody could take a part of the requests of others.
//
// Of several canaries the oldest counts.

// upstreamName names what ingress-nginx has an upstream for.
type upstreamName struct{ namespace, service, port string }

func (r reference) upstream() upstreamName {
	return upstreamName{r.namespace, r.service, strconv.Itoa(int(r.port))}
}

func upstreamOf(k routing.BackendKey) upstreamName {
	return upstreamName{k.Namespace, k.Service, k.Port}
}

// find is a canary's path that has found the Route of an upstream, at the path's host.
type find struct {
	entry *entry
	path  int
}

func (f find) at() *canaryPath { return &f.entry.canary.paths[f.path] }

func (f find) compare(o find) int {
	return cmp.Or(f.entry.compare(o.entry), cmp.Compare(f.path, o.path))
}

// canarySet has the canaries by host, and what they have found. Owned by the builder's goroutine, without the builder.
type canarySet struct {
	byHost map[string][]*entry // sorted by age
	// finds has, by host, the upstreams that were found there, and found the same by upstream, the oldest find first.
	finds map[string]map[upstreamName][]find
	found map[upstreamName][]find
	// keyOf returns the key of the Backend at an index, false where there is none. lend returns the Backend of a canary's path
	// that stands beside the one at main, for the Host that is being built.
	keyOf func(index int32) (routing.BackendKey, bool)
	lend  func(to reference, balance routing.Balance, main int32) int32
}

func newCanarySet() canarySet {
	return canarySet{
		byHost: make(map[string][]*entry), finds: make(map[string]map[upstreamName][]find), found: make(map[upstreamName][]find),
	}
}

func (s *canarySet) link(e *entry) {
	for _, name := range e.canary.hosts() {
		s.byHost[name] = insertEntry(s.byHost[name], e)
	}
}

func (s *canarySet) unlink(e *entry) {
	for _, name := range e.canary.hosts() {
		if s.byHost[name] = removeEntry(s.byHost[name], e); len(s.byHost[name]) == 0 {
			delete(s.byHost, name)
		}
	}
}

// swap replaces an entry by one that wants the same.
func (s *canarySet) swap(e *entry) {
	for _, name := range e.canary.hosts() {
		swapEntry(s.byHost[name], e)
	}
}

// look has the canaries of a host look for their Routes once more. It returns the upstreams of which the result is another one,
// and what was found of them before and now.
func (s *hostSet) look(host string) (changed map[upstreamName][]find) {
	k := &s.canaries
	before, next := k.finds[host], s.findsOn(host)
	for up := range before {
		if !slices.Equal(before[up], next[up]) {
			changed = note(changed, up, before[up], next[up])
		}
	}
	for up := range next {
		if before[up] == nil {
			changed = note(changed, up, nil, next[up])
		}
	}
	for up := range changed {
		k.found[up] = slices.DeleteFunc(k.found[up], func(f find) bool { return slices.Contains(before[up], f) })
		k.found[up] = append(k.found[up], next[up]...)
		if slices.SortFunc(k.found[up], find.compare); len(k.found[up]) == 0 {
			delete(k.found, up)
		} else {
			changed[up] = append(changed[up], k.found[up]...)
		}
	}
	if k.finds[host] = next; len(next) == 0 {
		delete(k.finds, host)
	}
	return changed
}

func note(changed map[upstreamName][]find, up upstreamName, before, next []find) map[upstreamName][]find {
	if changed == nil {
		changed = make(map[upstreamName][]find)
	}
	changed[up] = slices.Concat(before, next)
	return changed
}

// findsOn returns the upstreams that canaries of objects taken over from ingress-nginx find at a host.
func (s *hostSet) findsOn(host string) (list map[upstreamName][]find) {
	for _, e := range s.canaries.byHost[host] {
		if e.controller != NginxController {
			continue
		}
		for i := range e.canary.paths {
			p := &e.canary.paths[i]
			if p.host != host {
				continue
			}
			main, r, _ := s.mainOf(e, p)
			if r == nil || main.controller != NginxController {
				continue
			}
			if key, ok := s.canaries.keyOf(r.Backend); ok && upstreamOf(key) != p.to.upstream() {
				if list == nil {
					list = make(map[upstreamName][]find)
				}
				list[upstreamOf(key)] = append(list[upstreamOf(key)], find{e, i})
			}
		}
	}
	return list
}

// mainOf returns the Route that a canary's path has found, and its object, or why there is none.
func (s *hostSet) mainOf(e *entry, p *canaryPath) (main *entry, r *routing.Route, reason string) {
	reason = "no other object has this path, with this type, on the host; the canary is not served"
	entries := s.fallbacks
	if p.host != elsewhereHost {
		entries, _ = s.admitted(p.host)
	} else {
		reason = "no other object has a default backend for what no host matches; the canary is not served"
	}
	for _, o := range entries {
		if r = o.fallback; p.host != elsewhereHost {
			if r = o.routeAt(p); r == nil {
				continue
			}
		}
		if e.namespace() != o.namespace() && (s.exclusive || e.controller != NginxController || o.controller != NginxController) {
			return nil, nil, "the path belongs to an object of another namespace; the canary takes no part in it"
		}
		return o, r, ""
	}
	return nil, nil, reason
}

// routeAt returns the Route with the path and type of a canary's path, nil for none.
func (e *entry) routeAt(p *canaryPath) *routing.Route {
	h := e.onHost(p.host)
	for i := range h.routes {
		if r := &h.routes[i]; !r.Default && r.Type == p.pathType && h.written[i].text == p.text {
			return r
		}
	}
	return nil
}

// canaryOf returns the canary of a Route, which e has on a host, or nothing.
func (s *hostSet) canaryOf(host string, e *entry, r *routing.Route, text string) (f find, ok bool) {
	key, ok := s.canaries.keyOf(r.Backend)
	if !ok {
		return find{}, false
	}
	if e.controller == NginxController {
		if list := s.canaries.found[upstreamOf(key)]; len(list) > 0 {
			return list[0], true
		}
	}
	for _, o := range s.canaries.byHost[host] {
		if e.controller == NginxController && o.controller == NginxController {
			continue
		}
		for i := range o.canary.paths {
			p := &o.canary.paths[i]
			if p.host != host || host != elsewhereHost && (r.Default || r.Type != p.pathType || text != p.text) || p.to.upstream() == upstreamOf(key) {
				continue
			}
			if main, _, _ := s.mainOf(o, p); main == e {
				return find{o, i}, true
			}
		}
	}
	return find{}, false
}

// lendSplits gives the Routes of a Host their Splits. routes are those of the entries in turn, as joinHost gives them.
func (s *hostSet) lendSplits(host string, entries []*entry, routes []routing.Route) {
	if len(s.canaries.byHost) == 0 {
		return
	}
	lent := make(map[lentKey]*routing.Source)
	at := 0
	for _, e := range entries {
		for _, w := range e.onHost(host).written {
			s.lendSplit(lent, host, e, &routes[at], w.text)
			at++
		}
	}
}

// lentKey tells apart the Sources of Routes with a Split.
type lentKey struct {
	source *routing.Source
	find   find
	main   int32
}

// lendSplit gives a Route the Source with the Split of its canary, if it has one. lent has those of the Host.
func (s *hostSet) lendSplit(lent map[lentKey]*routing.Source, host string, e *entry, r *routing.Route, text string) {
	f, ok := s.canaryOf(host, e, r, text)
	if !ok {
		return
	}
	k := lentKey{r.Source, f, r.Backend}
	if lent[k] == nil {
		c := f.entry.canary
		source := *r.Source
		source.Split = &routing.Split{Canary: true, Shares: []routing.Share{
			{Backend: r.Backend, Weight: c.total - c.weight},
			{Backend: s.canaries.lend(f.at().to, c.balance, r.Backend), Weight: c.weight},
		}}
		if c.choice != nil {
			p := &policy.Policy{}
			if source.Policy != nil {
				*p = *source.Policy
				p.Attachment, p.Filters = nil, slices.Clone(source.Policy.Filters)
			}
			p.Set(c.choice)
			source.Policy = p
		}
		lent[k] = &source
	}
	r.Source = lent[k]
}

// refuseCanaries returns the Rejections of a host's canaries that take no part in anything, or not in all they could.
func (s *hostSet) refuseCanaries(host string) (list []Rejection) {
	for _, e := range s.canaries.byHost[host] {
		for i := range e.canary.paths {
			p := &e.canary.paths[i]
			if p.host != host {
				continue
			}
			refuse := func(reason string) {
				list = append(list, rejectIngress(e.name(), p.field, host+p.text, reason))
			}
			main, r, reason := s.mainOf(e, p)
			if r == nil {
				refuse(reason)
				continue
			}
			key, ok := s.canaries.keyOf(r.Backend)
			if !ok {
				continue // the main object has a Rejection for that
			}
			if upstreamOf(key) == p.to.upstream() {
				refuse("it leads to the Service and port of the main object; it is no canary of that")
			} else if first, _ := s.canaryOf(host, main, r, p.text); first.entry == nil || first.entry.name() != e.name() {
				refuse("an older canary of the same path, or of the Service that it leads to, counts; this one is not served")
			}
		}
	}
	return list
}
