package expression

import (
	"fmt"
	"regexp/syntax"
)

const (
	// MaxText is the most bytes of an expression. Lists of names fit; larger ones are better left
	// to an authority.
	MaxText = 1024
	// MaxProgram is the largest program, in the units of size: instructions, and the ranges of their
	// character classes. A unit takes some 40 bytes, and matching at worst goes through all of them for
	// each character.
	MaxProgram = 1000
	// MaxInput is the most bytes of an input. A common name may have 64 characters (X.520, ub-common-name),
	// and the beginning of a path decides its match.
	MaxInput = 512
)

// Expression is a regular expression that is not too large. The zero value matches everything. A plain
// value, comparable, and safe for concurrent use.
type Expression struct{ text string }

// Parse reads an expression of RE2's syntax. The error is worded for the expression's author, and does
// not repeat the expression.
func Parse(text string) (Expression, error) {
	if len(text) > MaxText {
		return Expression{}, fmt.Errorf("the expression has %d bytes, and may have %d", len(text), MaxText)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		if e, ok := err.(*syntax.Error); ok {
			return Expression{}, fmt.Errorf("the expression cannot be read: %s", e.Code)
		}
		return Expression{}, fmt.Errorf("the expression cannot be read")
	}
	if n := size(tree); n > MaxProgram {
		return Expression{}, fmt.Errorf("the expression makes a program of %s instructions, and may make %d; repeat less", atMost(n), MaxProgram)
	}
	return Expression{text}, nil
}

// String returns the text.
func (e Expression) String() string { return e.text }

// Match reports whether the expression matches anywhere in input; an input of more than MaxInput bytes does
// not match. Not for event loops.
func (e Expression) Match(input string) bool {
	return e.text == "" || len(input) <= MaxInput && programs.get(e.text).MatchString(input)
}

// enough is where counting stops: far beyond MaxProgram.
const enough = 1 << 20

func atMost(n int) string {
	if n >= enough {
		return "more than a million"
	}
	return fmt.Sprint(n)
}

// size is at least the size of a tree's program after its repetitions are written out, as syntax.Regexp's
// Simplify does: instructions, and half the bounds of character classes.
func size(re *syntax.Regexp) int {
	n := 2
	switch re.Op {
	case syntax.OpLiteral:
		n = 1 + len(re.Rune)
	case syntax.OpCharClass:
		n = 1 + len(re.Rune)/2
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		n = 3
	case syntax.OpRepeat:
		// x{2,5} is xx(x(x(x)?)?)?, and x{2,} is xx+: each copy may have an instruction for its choice.
		n += max(re.Min, re.Max, 1) * (1 + size(re.Sub[0]))
	case syntax.OpAlternate:
		n += len(re.Sub)
		fallthrough
	default:
		for _, sub := range re.Sub {
			n = min(enough, n+size(sub))
		}
	}
	return min(enough, n)
}

// sizeOf is size of a text that Parse took.
func sizeOf(text string) int {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		panic("BUG: an expression that was read cannot be read: " + err.Error())
	}
	return size(tree)
}
