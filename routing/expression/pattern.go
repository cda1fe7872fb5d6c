package expression

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// Pattern is the path of an Ingress as ingress-nginx reads it on a host of regular expressions: without case, from the
// beginning of a request's path, open at its end. It compares bytes, as nginx does. Immutable once made, and safe
// for concurrent use.
type Pattern struct {
	text string
	// prefix is what every path that matches begins with, in lower case. whole is true where it is all there is to match,
	// and program is nil then.
	prefix  string
	whole   bool
	program *code
	// capture is the program whose groups a rewrite refers to: that of the text without the anchor.
	capture *code
	groups  []string
	size    int
}

// ParsePattern reads a path. Where that fails it gives a Pattern all the same, which matches what the path could have
// matched and more: requests that it matches must not be answered by another path. The error says what
// RE2 does not have, or what is too large, and does not repeat the text.
func ParsePattern(text string) (*Pattern, error) {
	p, err := parsePattern(text)
	if err == nil {
		p.text = text
		return p, nil
	}
	if wider, changed := widen(text); changed && len(text) <= MaxText {
		if p, err := parsePattern(wider); err == nil {
			return p.closed(text), unread(text, err)
		}
	}
	return Beginning(text), unread(text, err)
}

// ParseAnywhere reads an expression that may match anywhere in a text, and heeds case. Its Pattern is for MatchAll. The error
// is worded for the expression's author, and does not repeat the text.
func ParseAnywhere(text string) (*Pattern, error) {
	if construct := beyond(text); construct != "" {
		return nil, fmt.Errorf("it uses %s, which the regular expressions of RE2 do not have", construct)
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("it has %d bytes, and may have %d", len(text), MaxText)
	}
	bare, err := syntax.Parse(encode(text), syntax.Perl)
	if err != nil {
		if e, ok := err.(*syntax.Error); ok {
			return nil, fmt.Errorf("it cannot be read: %s", e.Code)
		}
		return nil, errors.New("it cannot be read")
	}
	if n := size(bare); n > MaxProgram {
		return nil, fmt.Errorf("it makes a program of %s instructions, and may make %d; repeat less", atMost(n), MaxProgram)
	}
	p := &Pattern{text: text}
	if p.program, err = compile(bare, false); err != nil {
		return nil, err
	}
	p.size = len(p.program.steps)
	return p, nil
}

// closed is p as what stands for a text that cannot be read.
func (p *Pattern) closed(text string) *Pattern {
	c := *p
	c.text, c.capture, c.groups = text, nil, nil
	return &c
}

// unread words an error for the author of a path.
func unread(text string, err error) error {
	switch construct := beyond(text); {
	case construct != "":
		return fmt.Errorf("the path uses %s, which the regular expressions of RE2 do not have", construct)
	case err != nil:
		return err
	}
	return fmt.Errorf("the path is no regular expression of RE2's syntax")
}

func parsePattern(text string) (*Pattern, error) {
	text = unquote(text)
	if len(text) > MaxText {
		return nil, fmt.Errorf("the path has %d bytes, and may have %d as a regular expression", len(text), MaxText)
	}
	if construct := beyond(text); construct != "" {
		return nil, fmt.Errorf("the path uses %s", construct)
	}
	bare, err := syntax.Parse(encode(text), syntax.Perl|syntax.FoldCase)
	if err != nil {
		if e, ok := err.(*syntax.Error); ok {
			return nil, fmt.Errorf("the path cannot be read as a regular expression: %s", e.Code)
		}
		return nil, fmt.Errorf("the path cannot be read as a regular expression")
	}
	if n := size(bare); n > MaxProgram {
		return nil, fmt.Errorf("the path makes a program of %s instructions, and may make %d; repeat less", atMost(n), MaxProgram)
	}
	p := &Pattern{groups: bare.CapNames()}
	p.prefix, p.whole = leading(bare)
	if alternates(text) {
		// The anchor that is put before the text is one of its first alternative alone.
		anchored, err := syntax.Parse("^"+encode(text), syntax.Perl|syntax.FoldCase)
		if err != nil {
			return nil, fmt.Errorf("the path cannot be read as a regular expression")
		}
		p.prefix, p.whole = "", false
		if p.program, err = compile(anchored, false); err != nil {
			return nil, err
		}
		if p.capture, err = compile(bare, false); err != nil {
			return nil, err
		}
	} else {
		if p.capture, err = compile(bare, true); err != nil {
			return nil, err
		}
		if !p.whole {
			p.program = p.capture.behind(p.prefix)
		}
	}
	p.size = len(p.capture.steps)
	return p, nil
}

// String returns the text.
func (p *Pattern) String() string { return p.text }

// Prefix returns what every path that matches begins with, in lower case (ASCII); "" where there is no such thing.
func (p *Pattern) Prefix() string { return p.prefix }

// Size is what the Pattern takes, in instructions of some 16 bytes.
func (p *Pattern) Size() int { return p.size + len(p.text)/16 + 1 }

// Group returns the number of the group of that name, 0 where the text has none.
func (p *Pattern) Group(name string) int {
	for i, n := range p.groups {
		if n == name && n != "" {
			return i
		}
	}
	return 0
}

// Match reports whether the path matches. path must begin with Prefix, without regard to case. m bounds
// the work.
//
// hot: runs per request; no alloc, no lock.
func (p *Pattern) Match(m *Matcher, path []byte) bool {
	if p.whole {
		return true
	}
	return m.run(p.program, path, nil)
}

// MatchAll is Match for any path.
func (p *Pattern) MatchAll(m *Matcher, path []byte) bool {
	return len(path) >= len(p.prefix) && equalFold(p.prefix, path[:len(p.prefix)]) && p.Match(m, path)
}

// Captures puts the groups of a path that matches into m, for Matcher.Group.
//
// hot: runs per request; no alloc, no lock.
func (p *Pattern) Captures(m *Matcher, path []byte) bool {
	return p.capture != nil && m.run(p.capture, path, m.groups[:])
}

// leading returns what every match of a tree begins with, in lower case, and whether that is all of it.
func leading(re *syntax.Regexp) (prefix string, whole bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return "", true
	case syntax.OpLiteral:
		b := make([]byte, 0, len(re.Rune))
		for _, r := range re.Rune {
			c, ok := decode(r)
			if !ok {
				return string(b), false
			}
			b = append(b, lower(c))
		}
		// Without the flag the case counts, which a prefix in lower case does not tell.
		return string(b), re.Flags&syntax.FoldCase != 0 || !hasLetter(b)
	case syntax.OpCapture:
		return leading(re.Sub[0])
	case syntax.OpPlus:
		prefix, _ = leading(re.Sub[0])
		return prefix, false
	case syntax.OpRepeat:
		if re.Min > 0 {
			prefix, _ = leading(re.Sub[0])
		}
		return prefix, false
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			one, _ := leading(sub)
			if i == 0 {
				prefix = one
			}
			n := 0
			for n < min(len(one), len(prefix)) && one[n] == prefix[n] {
				n++
			}
			prefix = prefix[:n]
		}
		return prefix, false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			one, whole := leading(sub)
			prefix += one
			if !whole {
				return prefix, false
			}
		}
		return prefix, true
	}
	return "", false
}

// unquote is a text as nginx reads it, which ingress-nginx gives it between quotes: a backslash before another one, or before
// a quote, is not part of it.
func unquote(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && strings.IndexByte(`\"'`, text[i+1]) >= 0 {
			i++
		}
		b = append(b, text[i])
	}
	return string(b)
}

func hasLetter(b []byte) bool {
	for _, c := range b {
		if 'a' <= c && c <= 'z' {
			return true
		}
	}
	return false
}

// lower is c in lower case, for ASCII alone: nginx folds no other bytes.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

func fold(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

// equalFold compares path with a key in lower case of the same length.
func equalFold(key string, path []byte) bool {
	for i := range path {
		if lower(path[i]) != key[i] {
			return false
		}
	}
	return true
}

// Bytes from 0x80 on are runes of their own for package syntax, of a private area: that none of them has two cases, and
// each stands for itself.
const private = 0xf700

// encode is the text with every byte as one rune.
func encode(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(private | rune(c))
		}
	}
	return b.String()
}

// decode is the byte of a rune of encode.
func decode(r rune) (byte, bool) {
	switch {
	case r < 0x80:
		return byte(r), true
	case r >= private|0x80 && r <= private|0xff:
		return byte(r), true
	}
	return 0, false
}

// Beginning returns the Pattern of what every match of a text begins with, for one that is not read.
func Beginning(text string) *Pattern {
	return (&Pattern{prefix: fold(literal(text)), whole: true}).closed(text)
}
