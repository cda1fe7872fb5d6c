package informer

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// In ingress-nginx a Service's port is balanced in one way, wherever it is used: as the oldest object wants it that uses it. So
// it is for objects taken over from there. Objects of our own class have what they ask for, each its own Backend.

// balancing is how an object wants its Backends balanced. Comparable; the zero value is the default.
type balancing struct {
	balance routing.Balance
	hash    policy.Hash
	cluster bool // by the cluster, at the Service's address
}

// balances notes what the object uses, and how it wants that balanced.
func (c *compiler) balances(r reference) {
	if c.entry.controller != NginxController {
		return
	}
	b := &c.entry.balancing
	b.balance = c.settings.Balance
	if h, ok := c.settings.Policy.Filter(policy.KindHash).(*policy.Hash); ok {
		b.hash = *h
	}
	b.cluster = b.cluster || r.to.cluster.IsValid()
	if !slices.Contains(c.entry.uses, r) {
		c.entry.uses = append(c.entry.uses, r)
	}
}

// use returns what an object has of an upstream.
func (e *entry) use(up upstreamName) (r reference, ok bool) {
	i := slices.IndexFunc(e.uses, func(r reference) bool { return r.upstream() == up })
	if i < 0 {
		return r, false
	}
	return e.uses[i], true
}

// userSet has the objects by the upstreams that they use, sorted by age, and the upstreams that another one decides about since
// the last build. Owned by the builder's goroutine, without the builder.
type userSet struct {
	of      map[upstreamName][]*entry
	changed map[upstreamName]struct{}
}

func newUserSet() userSet {
	return userSet{of: make(map[upstreamName][]*entry), changed: make(map[upstreamName]struct{})}
}

func (s *userSet) link(e *entry) { s.edit(e, insertEntry) }

func (s *userSet) unlink(e *entry) { s.edit(e, removeEntry) }

// edit changes the lists of what e uses, each once.
func (s *userSet) edit(e *entry, change func([]*entry, *entry) []*entry) {
	for i, r := range e.uses {
		up := r.upstream()
		if slices.ContainsFunc(e.uses[:i], func(o reference) bool { return o.upstream() == up }) {
			continue
		}
		before := s.of[up]
		was := len(before)
		if was > 1 || was == 1 && before[0].name() != e.name() {
			s.changed[up] = struct{}{}
		}
		if s.of[up] = change(before, e); len(s.of[up]) == 0 {
			delete(s.of, up)
		}
	}
}

// swap replaces an entry by one that wants the same.
func (s *userSet) swap(e *entry) {
	for _, r := range e.uses {
		swapEntry(s.of[r.upstream()], e)
	}
}

// decider returns the object that decides about an upstream, nil where none uses it.
func (s *userSet) decider(up upstreamName) *entry {
	if list := s.of[up]; len(list) > 0 {
		return list[0]
	}
	return nil
}

// lendBalances gives the Routes of a Host the Backends and the hashes of the objects that decide about their Services. routes are
// those of the entries in turn.
func (s *hostSet) lendBalances(host string, entries []*entry, routes []routing.Route) (list []Rejection) {
	lent := make(map[hashedKey]*routing.Source)
	at := 0
	for _, e := range entries {
		for _, w := range e.onHost(host).written {
			if r := s.lendBalance(lent, e, &routes[at]); r != "" {
				list = append(list, rejectIngress(e.name(), w.field, host+w.text, r))
			}
			at++
		}
	}
	return list
}

// hashedKey tells apart the Sources of Routes with the hash of another object.
type hashedKey struct {
	source *routing.Source
	hash   policy.Hash
}

// lendBalance is lendBalances for one Route; lent has the Sources of the Host. It returns why the object's own wish does not count, "" where it does or is none.
func (s *hostSet) lendBalance(lent map[hashedKey]*routing.Source, e *entry, r *routing.Route) (reason string) {
	if e.controller != NginxController {
		return ""
	}
	key, ok := s.canaries.keyOf(r.Backend)
	if !ok {
		return ""
	}
	d := s.users.decider(upstreamOf(key))
	if d == nil || d.balancing == e.balancing {
		return ""
	}
	to, ok := d.use(upstreamOf(key))
	if !ok {
		return ""
	}
	r.Backend = s.canaries.lend(to, d.balancing.balance, r.Backend)
	if d.balancing.hash != e.balancing.hash {
		k := hashedKey{r.Source, d.balancing.hash}
		if lent[k] == nil {
			source := *r.Source
			source.Policy = hashedPolicy(source.Policy, k.hash)
			lent[k] = &source
		}
		r.Source = lent[k]
	}
	if e.balancing == (balancing{}) {
		return ""
	}
	return "the Service is balanced as Ingress " + d.name().String() + " asks, which uses it too and decides because " + d.source.WinsOver(e.source) + ", as in ingress-nginx"
}

// hashedPolicy returns p, which may be nil, with another hash.
func hashedPolicy(p *policy.Policy, h policy.Hash) *policy.Policy {
	with := &policy.Policy{}
	if p != nil {
		*with = *p
		with.Attachment, with.Filters = nil, slices.Clone(p.Filters)
	}
	with.Remove(policy.KindHash)
	if h != (policy.Hash{}) {
		with.Set(&h)
	}
	return with
}
