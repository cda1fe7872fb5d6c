package routing

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing/expression"
)

// expressions are the Routes of a Host whose paths are regular expressions: the first of them that matches answers.
//
// They are sorted into buckets by what all that they match begins with. The buckets whose text a path begins with are the
// longest such one, its parent, that one's parent and so on; these alone are looked at, and there what comes before
// the best so far. So 10,000 Routes cost a binary search more than one does, as long as their paths begin
// differently. What one request may cost is bounded by its Matcher; where that is not enough overrun answers, because an
// expression that was not asked might guard the path.
type expressions struct {
	// patterns has one for each Route of the Host, nil for a default backend.
	patterns []*expression.Pattern
	buckets  []bucket // sorted by text
	ranks    []int32  // positions in Host.routes: those of each bucket in order
	overrun  Route
}

// bucket has the Routes of one beginning: ranks[first:last].
type bucket struct {
	text string // in lower case
	// parent is the bucket of the longest beginning of text, -1 for none.
	parent      int32
	first, last int32
}

// Expression is a Route of Builder.BuildExpressions, with the Pattern of its path: nil for a default backend, which
// matches everything.
type Expression struct {
	Route   Route
	Pattern *expression.Pattern
}

// BuildExpressions makes the Host of the given name from Routes whose paths are regular expressions, in the order in
// which they are tried. Their Type becomes Regular, but for default backends. overrun has no Backend; it answers what costs
// too much to match. list is copied.
func (b *Builder) BuildExpressions(name string, list []Expression, overrun Route) *Host {
	h := newHost(strings.ToLower(name), nil)
	e := &expressions{patterns: make([]*expression.Pattern, len(list)), overrun: overrun}
	h.text = h.Name()
	h.trie = &trie{expressions: e}
	h.routes = make([]Route, len(list))
	beginnings := make([]string, len(list))
	e.ranks = make([]int32, len(list))
	for i := range list {
		r := &h.routes[i]
		*r = list[i].Route
		r.Host = h.Name()
		if !r.Default {
			r.Type = Regular
		}
		if e.patterns[i] = list[i].Pattern; e.patterns[i] != nil {
			beginnings[i] = e.patterns[i].Prefix()
		}
		e.ranks[i] = int32(i)
		b.attach(r)
	}
	slices.SortFunc(e.ranks, func(i, j int32) int {
		return cmp.Or(strings.Compare(beginnings[i], beginnings[j]), cmp.Compare(i, j))
	})
	for at, rank := range e.ranks {
		text := beginnings[rank]
		if n := len(e.buckets); n == 0 || e.buckets[n-1].text != text {
			e.buckets = append(e.buckets, bucket{text: text, parent: e.parentOf(text), first: int32(at)})
		}
		e.buckets[len(e.buckets)-1].last = int32(at + 1)
	}
	e.overrun.Host, e.overrun.Path, e.overrun.Type, e.overrun.Backend = h.Name(), "/", Regular, -1
	b.attach(&e.overrun)
	return h
}

// parentOf returns the last bucket so far whose text is a beginning of text, -1 for none.
func (e *expressions) parentOf(text string) int32 {
	i := int32(len(e.buckets) - 1)
	for i >= 0 && !strings.HasPrefix(text, e.buckets[i].text) {
		i = e.buckets[i].parent
	}
	return i
}

// match returns the Route for path, or nil.
//
// hot: runs per request; no alloc, no lock.
func (e *expressions) match(routes []Route, path []byte) *Route {
	i, common := e.find(path)
	best := int32(len(routes))
	var m *expression.Matcher
	for ; i >= 0; i = e.buckets[i].parent {
		b := &e.buckets[i]
		if len(b.text) > common {
			continue // and so is none below it a beginning of path
		}
		for _, rank := range e.ranks[b.first:b.last] {
			if rank >= best {
				break
			}
			p := e.patterns[rank]
			if p != nil {
				if m == nil {
					m = expression.NewMatcher()
				}
				if !p.Match(m, path) {
					if m.Exhausted() {
						m.Release()
						return &e.overrun
					}
					continue
				}
			}
			best = rank
			break
		}
	}
	if m != nil {
		m.Release()
	}
	if int(best) < len(routes) {
		return &routes[best]
	}
	return nil
}

// find returns the last bucket whose text sorts before path, or is it, -1 for none, and how many bytes both begin with.
// Every bucket whose text is a beginning of path is that one or above it.
//
// hot: runs per request; no alloc, no lock.
func (e *expressions) find(path []byte) (at int32, common int) {
	var buf [maxFolded]byte
	n := min(len(path), len(buf))
	for i, c := range path[:n] {
		buf[i] = lowerByte(c)
	}
	low, high := 0, len(e.buckets)
	for low < high {
		mid := int(uint(low+high) >> 1)
		text := e.buckets[mid].text
		var after bool
		if n == len(path) || len(text) < n {
			after = text > string(buf[:n])
		} else {
			k := commonFold(text, path)
			after = k < len(text) && (k == len(path) || text[k] > lowerByte(path[k]))
		}
		if after {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low > 0 {
		common = commonFold(e.buckets[low-1].text, path)
	}
	return int32(low - 1), common
}

// maxFolded is how much of a path is put into lower case once, and not in every comparison.
const maxFolded = 128

// commonFold returns how many bytes text, which is in lower case, and path begin with alike.
//
// hot: runs per request; no alloc.
func commonFold(text string, path []byte) int {
	n := min(len(text), len(path))
	for i := range n {
		if text[i] != lowerByte(path[i]) {
			return i
		}
	}
	return n
}

// lowerByte is c in lower case, of ASCII alone.
//
// hot: runs per request; must inline.
func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// matches reports whether the Route at a position of Host.routes alone would answer path.
func (e *expressions) matches(i int, path []byte) bool {
	p := e.patterns[i]
	if p == nil {
		return true
	}
	m := expression.NewMatcher()
	defer m.Release()
	return p.MatchAll(m, bytes.Clone(path))
}

// expressions returns those of h, nil for a Host of paths.
func (h *Host) expressions() *expressions {
	if h.trie == nil {
		return nil
	}
	return h.trie.expressions
}

// Regular reports whether the paths of h are regular expressions.
func (h *Host) Regular() bool { return h.expressions() != nil }
