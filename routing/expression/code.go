package expression

import (
	"fmt"
	"math/bits"
	"regexp/syntax"
	"unicode"
)

// code is a Pattern's regexp/syntax.Prog, over bytes: half its size, and run by a Matcher whose memory is the
// caller's.
type code struct {
	steps []step
	sets  []set
	start uint32
	// anchored is true where a match begins with the input.
	anchored bool
	// skip are the bytes that start is behind: those of the Pattern's prefix, where that says all about them.
	skip int
	// forks counts the steps that fork. Only these are remembered while matching: whatever loops passes one.
	forks int
}

// step is one instruction: where it goes on, and what it does before.
type step struct {
	next, other uint32 // other: the second way of a fork, a set, a capture's slot, or an assertion
	fork        uint32 // the number of a fork
	do          action
	char        byte
}

type action uint8

const (
	doFail action = iota
	doMatch
	doByte
	doSet
	doFork
	doCapture
	doAssert
	doNothing
)

// set is a set of bytes.
type set [4]uint64

func (s *set) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *set) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// compile makes the program of a tree whose size has been counted.
func compile(re *syntax.Regexp, anchored bool) (*code, error) {
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, fmt.Errorf("the path cannot be read as a regular expression")
	}
	p := &code{start: uint32(prog.Start), anchored: anchored, steps: make([]step, len(prog.Inst))}
	known := make(map[set]uint32)
	for i := range prog.Inst {
		in := &prog.Inst[i]
		s := step{next: in.Out}
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			s.do, s.other, s.fork = doFork, in.Arg, uint32(p.forks)
			p.forks++
		case syntax.InstCapture:
			s.do, s.other = doCapture, in.Arg
			if in.Arg >= 2*maxGroups {
				s.do = doNothing
			}
		case syntax.InstEmptyWidth:
			s.do, s.other = doAssert, in.Arg
		case syntax.InstMatch:
			s.do = doMatch
		case syntax.InstFail:
			s.do = doFail
		case syntax.InstNop:
			s.do = doNothing
		default:
			b := bytesOf(in)
			if c, one := b.only(); one {
				s.do, s.char = doByte, c
				break
			}
			n, ok := known[b]
			if !ok {
				n = uint32(len(p.sets))
				known[b] = n
				p.sets = append(p.sets, b)
			}
			s.do, s.other = doSet, n
		}
		p.steps[i] = s
	}
	return p, nil
}

// bytesOf returns the bytes that an instruction takes.
func bytesOf(in *syntax.Inst) (s set) {
	add := func(r rune) {
		if c, ok := decode(r); ok {
			s.add(c)
		}
	}
	switch {
	case in.Op == syntax.InstRuneAny:
		return set{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	case in.Op == syntax.InstRuneAnyNotNL:
		s = set{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
		s['\n'>>6] &^= 1 << '\n'
	case len(in.Rune) == 1:
		add(in.Rune[0])
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(in.Rune[0]); r != in.Rune[0]; r = unicode.SimpleFold(r) {
				add(r)
			}
		}
	default:
		for i := 0; i+1 < len(in.Rune); i += 2 {
			for r := in.Rune[i]; r <= min(in.Rune[i+1], 0x7f); r++ {
				add(r)
			}
			for r := max(in.Rune[i], private|0x80); r <= min(in.Rune[i+1], private|0xff); r++ {
				add(r)
			}
		}
	}
	return s
}

// only returns the one byte of a set that has one.
func (s *set) only() (c byte, one bool) {
	n := 0
	for i, word := range s {
		n += bits.OnesCount64(word)
		if word != 0 {
			c = byte(64*i + bits.TrailingZeros64(word))
		}
	}
	return c, n == 1
}

// behind is p for a path that is known to begin with prefix, without regard to case: groups before the end of that are lost.
func (p *code) behind(prefix string) *code {
	c := *p
	for c.skip < len(prefix) {
		s := &c.steps[c.start]
		switch s.do {
		case doByte, doSet:
			if !c.takes(s, prefix[c.skip]) || !c.takes(s, upper(prefix[c.skip])) {
				return &c
			}
			c.skip++
		case doCapture, doNothing:
		default:
			return &c
		}
		c.start = s.next
	}
	return &c
}

func (p *code) takes(s *step, c byte) bool {
	return s.do == doByte && s.char == c || s.do == doSet && p.sets[s.other].has(c)
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}
