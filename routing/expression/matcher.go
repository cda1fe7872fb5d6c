package expression

import (
	"regexp/syntax"
	"sync"
)

const (
	// maxGroups are the whole match and nine groups, which a rewrite can refer to by number, and a few more by name.
	maxGroups = 20
	// maxSteps is the work that one Matcher does, for all the Patterns of one request together: about a
	// millisecond of it.
	maxSteps = 1 << 18
	// maxVisited bounds the memory of a Matcher: a bit for each fork of a program and byte of a path.
	maxVisited = 1 << 21
)

// Matcher has the memory and the bounds for one request's Patterns. NewMatcher gives one, Release takes it back. Used by
// one goroutine at a time.
type Matcher struct {
	// left are the steps that it may still do. Below zero the answer of a Match is not known: see Exhausted.
	left    int
	visited []uint64
	jobs    []job
	groups  [2 * maxGroups]int32
}

// job is a way that has not been tried, or a group to put back: its slot is ^step then, and at what it was.
type job struct{ step, at int32 }

var matchers = sync.Pool{New: func() any { return new(Matcher) }}

// NewMatcher returns a Matcher with all its steps.
//
// hot: runs per request; no alloc, no lock.
func NewMatcher() *Matcher {
	m := matchers.Get().(*Matcher)
	m.left = maxSteps
	return m
}

// Release ends the use of m.
//
// hot: runs per request; no alloc, no lock.
func (m *Matcher) Release() {
	if cap(m.jobs) > 1<<14 {
		m.jobs = nil
	}
	if cap(m.visited) > 1<<10 {
		m.visited = nil
	}
	matchers.Put(m)
}

// Exhausted reports whether the work was more than a Matcher does. What has not matched then might have.
func (m *Matcher) Exhausted() bool { return m.left < 0 }

// Group returns where the group of a number lies in the path of the last Captures; nothing where it took no part.
//
// hot: runs per request; no alloc, no lock.
func (m *Matcher) Group(n int) (from, to int) {
	if n < 0 || n >= maxGroups || m.groups[2*n] < 0 || m.groups[2*n+1] < 0 {
		return 0, 0
	}
	return int(m.groups[2*n]), int(m.groups[2*n+1])
}

// run matches a program, leftmost and by the order of its alternatives, as PCRE does. It tries each fork once at each byte:
// what has failed there fails whichever way it is reached.
//
// hot: runs per request; no alloc, no lock.
func (m *Matcher) run(p *code, path []byte, groups []int32) bool {
	n := p.forks * (len(path) + 1)
	if m.left < 0 || n > maxVisited {
		m.left = -1
		return false
	}
	words := (n + 63) / 64
	if cap(m.visited) < words {
		m.visited = make([]uint64, words, 2*words) // once in a while, until it is enough
	}
	m.visited = m.visited[:words]
	clear(m.visited)
	m.left -= words / 8
	last := len(path)
	if p.anchored {
		last = p.skip
	}
	for at := p.skip; at <= last; at++ {
		for i := range groups {
			groups[i] = -1
		}
		if m.from(p, path, at, groups) {
			return true
		}
		if m.left < 0 {
			return false
		}
	}
	return false
}

// from matches a program at one place.
//
// hot: runs per request; no alloc, no lock.
func (m *Matcher) from(p *code, path []byte, begin int, groups []int32) bool {
	jobs := append(m.jobs[:0], job{int32(p.start), int32(begin)})
	stride := len(path) + 1
	left := m.left
	matched := false
next:
	for len(jobs) > 0 && left >= 0 {
		j := jobs[len(jobs)-1]
		jobs = jobs[:len(jobs)-1]
		if j.step < 0 {
			groups[^j.step] = j.at
			continue
		}
		pc, at := uint32(j.step), int(j.at)
		for {
			left--
			s := &p.steps[pc]
			switch s.do {
			case doByte:
				if at >= len(path) || path[at] != s.char {
					continue next
				}
				at++
			case doSet:
				if at >= len(path) || !p.sets[s.other].has(path[at]) {
					continue next
				}
				at++
			case doFork:
				bit := int(s.fork)*stride + at
				if m.visited[bit>>6]&(1<<(bit&63)) != 0 {
					continue next
				}
				m.visited[bit>>6] |= 1 << (bit & 63)
				jobs = append(jobs, job{int32(s.other), int32(at)})
			case doCapture:
				if int(s.other) < len(groups) {
					jobs = append(jobs, job{^int32(s.other), groups[s.other]})
					groups[s.other] = int32(at)
				}
			case doAssert:
				if !holds(syntax.EmptyOp(s.other), path, at) {
					continue next
				}
			case doMatch:
				if len(groups) > 1 {
					groups[0], groups[1] = int32(begin), int32(at)
				}
				matched = true
				break next
			case doFail:
				continue next
			}
			pc = s.next
		}
	}
	m.jobs, m.left = jobs, left
	return matched
}

// holds reports whether assertions hold at a place. The end is also before a line break that is last, as in PCRE.
//
// hot: runs per request; no alloc, no lock.
func holds(want syntax.EmptyOp, path []byte, at int) bool {
	before, after := rune(-1), rune(-1)
	if at > 0 {
		before = rune(path[at-1])
	}
	if at < len(path) {
		after = rune(path[at])
	}
	have := syntax.EmptyOpContext(before, after)
	if at == len(path)-1 && after == '\n' {
		have |= syntax.EmptyEndText
	}
	return want&^have == 0
}
