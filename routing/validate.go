package routing

import (
	"errors"
	"fmt"
	"strings"
)

// validate checks every structural promise of t, its indexes, Hosts and tries, and returns the first
// one broken. It is slow; tests call it, and With does under the build tag invariants.
func (t *Table) validate() error {
	routes := 0
	for _, x := range []struct {
		name  string
		index *hostIndex
		kind  hostKind
	}{{"exact", &t.exact, exactHost}, {"wildcard", &t.wild, wildcardHost}} {
		if err := x.index.validate(); err != nil {
			return fmt.Errorf("check %s index: %w", x.name, err)
		}
		for _, h := range x.index.appendTo(nil) {
			if kindOf(h.Name()) != x.kind {
				return fmt.Errorf("check %s index: it holds %q", x.name, h.Name())
			}
		}
	}
	for h := range t.Hosts() {
		if err := h.validate(); err != nil {
			return fmt.Errorf("check host %q: %w", h.Name(), err)
		}
		routes += len(h.routes)
	}
	if routes != t.routes {
		return fmt.Errorf("check table: it counts %d routes and has %d", t.routes, routes)
	}
	return nil
}

func (x *hostIndex) validate() error {
	if n := len(x.slots); n&(n-1) != 0 || n > 0 && x.count > n/4*3 {
		return fmt.Errorf("%d hosts in %d slots", x.count, n)
	}
	count := 0
	for i, s := range x.slots {
		if s.host == nil {
			if s.hash != 0 {
				return fmt.Errorf("slot %d is empty and has a hash", i)
			}
			continue
		}
		count++
		if s != slotOf(s.host) {
			return fmt.Errorf("slot %d differs from its host %q", i, s.host.Name())
		}
		if x.find([]byte(s.host.key())) != s.host {
			return fmt.Errorf("slot %d: %q is not found from its home slot", i, s.host.Name())
		}
	}
	if count != x.count {
		return fmt.Errorf("it counts %d hosts and has %d", x.count, count)
	}
	return nil
}

func (h *Host) validate() error {
	e := h.expressions()
	for i := range h.routes {
		r := &h.routes[i]
		if r.Host != h.Name() {
			return fmt.Errorf("route %d belongs to %q", i, r.Host)
		}
		if i == 0 || e != nil {
			continue
		}
		a, b := h.routes[i-1].keyed(), r.keyed()
		if a.key > b.key || a.key == b.key && (!a.exact || b.exact) {
			return fmt.Errorf("routes %d and %d are out of order", i-1, i)
		}
	}
	if e != nil {
		return e.validate(h)
	}
	if h.trie != nil {
		if s := h.trie.shortcut; s != nil {
			if err := s.validate(h); err != nil {
				return fmt.Errorf("check shortcut: %w", err)
			}
		}
		return h.trie.validate(h)
	}
	keys := make([]keyed, len(h.routes))
	for i := range h.routes {
		keys[i] = h.routes[i].keyed()
	}
	if string(appendRecords(nil, keys)) != h.text[h.keyEnd:] {
		return errors.New("its records differ from its routes")
	}
	return nil
}

// validate walks the trie and spells every key again, which must give the Routes of h in order.
func (t *trie) validate(h *Host) error {
	if len(t.nodes) != len(t.edges) {
		return fmt.Errorf("%d nodes and %d edges", len(t.nodes), len(t.edges))
	}
	seen := make([]bool, len(t.nodes))
	next := 0 // the Route that must come next
	var walk func(at int, spelt []byte) error
	walk = func(at int, spelt []byte) error {
		if seen[at] {
			return fmt.Errorf("node %d has two parents", at)
		}
		seen[at] = true
		n := t.nodes[at]
		if int(n.label)+int(n.labelLen) > len(t.labels) {
			return fmt.Errorf("node %d: label out of bounds", at)
		}
		spelt = append(spelt, t.labels[n.label:int(n.label)+int(n.labelLen)]...)
		for _, end := range []struct {
			bit   uint8
			exact bool
		}{{endsExact, true}, {endsPrefix, false}} {
			if n.ends&end.bit == 0 {
				continue
			}
			if next >= len(h.routes) || h.routes[next].keyed() != (keyed{string(spelt), end.exact}) {
				return fmt.Errorf("node %d spells %q, which is not route %d", at, spelt, next)
			}
			if first := next - int(n.route); first != 0 && (end.exact || first != 1 || n.ends&endsExact == 0) {
				return fmt.Errorf("node %d points at route %d, and route %d was due", at, n.route, next)
			}
			next++
		}
		if n.child == 0 {
			if n.ends == 0 && at != 0 {
				return fmt.Errorf("node %d leads nowhere", at)
			}
			return nil
		}
		last := int(n.child) + int(n.lastChild)
		if int(n.child) <= at || last >= len(t.nodes) {
			return fmt.Errorf("node %d: children %d to %d out of bounds", at, n.child, last)
		}
		if n.ends == 0 && n.lastChild == 0 && at != 0 && n.labelLen != maxLabel {
			return fmt.Errorf("node %d should be one with its only child", at)
		}
		for c := int(n.child); c <= last; c++ {
			if c > int(n.child) && t.edges[c-1] >= t.edges[c] {
				return fmt.Errorf("node %d: edges are out of order", at)
			}
			if err := walk(c, append(spelt, t.edges[c])); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(0, nil); err != nil {
		return err
	}
	for at, ok := range seen {
		if !ok {
			return fmt.Errorf("node %d is unreachable", at)
		}
	}
	if next != len(h.routes) {
		return fmt.Errorf("the trie ends at route %d of %d", next, len(h.routes))
	}
	return nil
}

// validate finds every Route of h by its key.
func (s *shortcut) validate(h *Host) error {
	used, keys := 0, 0
	for _, slot := range s.slots {
		if slot.tag&endsMask != 0 {
			used++
		} else if slot != (shortSlot{}) {
			return errors.New("an empty slot is not empty")
		}
	}
	for i := range h.routes {
		k := h.routes[i].keyed()
		if n := len(k.key); n <= maxShortcutPath && s.lengths[n/64]&(1<<(n%64)) == 0 {
			return fmt.Errorf("the length of route %d's key is not known", i)
		}
		if i == 0 || h.routes[i-1].key() != k.key {
			keys++
		}
		if got := s.find(h.routes, []byte(k.key), k.ends()); got != i {
			return fmt.Errorf("it has route %d where %d is", got, i)
		}
	}
	if n := len(s.slots); used != keys || n&(n-1) != 0 || used > n/4*3 {
		return fmt.Errorf("%d keys, %d slots used of %d", keys, used, n)
	}
	return nil
}

// validate finds every Route of h in the one bucket of its beginning, and every bucket below its parent.
func (e *expressions) validate(h *Host) error {
	if len(e.patterns) != len(h.routes) || len(e.ranks) != len(h.routes) {
		return fmt.Errorf("%d expressions and %d ranks of %d routes", len(e.patterns), len(e.ranks), len(h.routes))
	}
	next := int32(0)
	for i, b := range e.buckets {
		if b.first != next || b.last <= b.first {
			return fmt.Errorf("bucket %d has ranks %d to %d, and %d was due", i, b.first, b.last, next)
		}
		next = b.last
		if i > 0 && e.buckets[i-1].text >= b.text {
			return fmt.Errorf("buckets %d and %d are out of order", i-1, i)
		}
		longest := int32(-1)
		for j := range i {
			if strings.HasPrefix(b.text, e.buckets[j].text) {
				longest = int32(j)
			}
		}
		if b.parent != longest {
			return fmt.Errorf("bucket %d is below %d, and belongs below %d", i, b.parent, longest)
		}
		for k, rank := range e.ranks[b.first:b.last] {
			if k > 0 && e.ranks[int(b.first)+k-1] >= rank {
				return fmt.Errorf("bucket %d: ranks are out of order", i)
			}
			if p := e.patterns[rank]; p == nil && b.text != "" || p != nil && p.Prefix() != b.text {
				return fmt.Errorf("bucket %d has route %d of another beginning", i, rank)
			}
		}
	}
	if int(next) != len(e.ranks) {
		return fmt.Errorf("buckets end at rank %d of %d", next, len(e.ranks))
	}
	return nil
}
