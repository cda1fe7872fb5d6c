package expression

import (
	"regexp"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, row := range []struct{ text, prefix, yes, no string }{ // yes and no have paths, with spaces between
		{"/[A-Z]{3}", "/", "/uuid/x /abc", "/ab/c /x/abc"},
		{"/Header", "/header", "/headers /HEADER/x", "/heade x/header"},
		{"/something(/|$)(.*)", "/something", "/something /something/ /SOMETHING/new", "/somethingelse"},
		{`/v\d+\.\d+/\w+$`, "/v", "/v1.20/abc_d", "/v1x2/abc /v1.2/a/b"},
		{"/(cart|order)s?/[^/]+$", "/", "/carts/1 /ORDER/x", "/order/x/y /other/x"},
		{"/(api)/(v1)", "/api/v1", "/API/V1", "/api/v2"},
		{"/a|/b", "", "/a /x/b", "/x/a"}, // the anchor is one of the first alternative alone
		{"/caf\u00e9", "/caf\u00e9", "/caf\u00e9 /CAF\u00e9", "/caf\u00c9 /caf"},
		{"/.$", "/", "/x", "/\u00e9"}, // bytes, not characters
		{"/[^a]b", "/", "/\xffb", "/ab"},
		{"/a$", "/a", "/a /a\n", "/a\n\n /ab"},
		{"/x(?-i:Y)", "/xy", "/XY /xY", "/xy"},
		{`/a\\.b`, "/a.b", "/a.b", "/axb"}, // nginx reads one backslash of two between quotes
		{"/k", "/k", "/K", "/\u212a"},
		{"/a{2,3}$", "/a", "/aa /aaa", "/a /aaaa"},
		{"/(?<id>[0-9]+)", "/", "/7", "/x"},
		{"/.*/admin", "/", "/x/admin/y //admin", "/admin"},
	} {
		p, err := ParsePattern(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
			continue
		}
		if p.Prefix() != row.prefix || p.String() != row.text {
			t.Errorf("%s: text %q, prefix %q, want %q", row.text, p, p.Prefix(), row.prefix)
		}
		m := NewMatcher()
		for want, paths := range map[bool]string{true: row.yes, false: row.no} {
			for _, path := range strings.Split(paths, " ") {
				if got := p.MatchAll(m, []byte(path)); got != want {
					t.Errorf("%s on %q: %v", row.text, path, got)
				}
			}
		}
		m.Release()
	}
}

// TestPatternRefused: what RE2 has not is named, and what stands for it matches all that the path could have.
func TestPatternRefused(t *testing.T) {
	for _, row := range []struct{ text, why, covers, spares string }{
		{"/(?!admin)[a-z]+", "look-ahead", "/users /admin", "/7 /"},
		{"/(?=a)b", "look-ahead", "/b", "/x"},
		{"/x(?<!y)z", "look-behind", "/xz", "/yz"},
		{`/(a+)-\1/end`, "back reference", "/aa-aa/end /a-/end", "/aa-aa /b"},
		{"/(?>a+)b", "atomic", "/aab", "/ac /b"},
		{"/a++b", "possessive", "/aab", "/b"},
		{`/p\pL`, `\p`, "/px", "/q"},
		{`/p\z`, `\z`, "/p", "/q"},
		{"/a(", "cannot be read", "/a /ab", "/b"},
		{"/ab[", "cannot be read", "/ab", "/a"},
		{"/ab{1001}", "cannot be read", "/a /abb", "/b"},
		{"/ab*?+", "possessive", "/a /ab", "/b"},
		{"/x" + strings.Repeat("y", MaxText), "1026 bytes", "/x" + strings.Repeat("y", MaxText), "/x"},
		{"/x((abcdefgh){30}){30}", "instructions", "/x /xab", "/y"},
		{`/x[\x80]`, `\x`, "/x\x80", "/y"},
		{`/x\x{e9}`, `\x`, "/x\xe9", "/y"},
	} {
		p, err := ParsePattern(row.text)
		if err == nil || !strings.Contains(err.Error(), row.why) || len(err.Error()) > 200 {
			t.Errorf("%.40s: %v, want %q", row.text, err, row.why)
		}
		m := NewMatcher()
		for want, paths := range map[bool]string{true: row.covers, false: row.spares} {
			for _, path := range strings.Split(paths, " ") {
				if got := p.MatchAll(m, []byte(path)); got != want {
					t.Errorf("%.40s on %.40q: %v", row.text, path, got)
				}
			}
		}
		m.Release()
		if p.String() != row.text {
			t.Errorf("%.40s has the text %.40q", row.text, p)
		}
	}
}

func TestCaptures(t *testing.T) {
	p, err := ParsePattern("/(?<first>[^/]+)/(x)?(.*)")
	if err != nil {
		t.Fatal(err)
	}
	if p.Group("first") != 1 || p.Group("") != 0 || p.Group("none") != 0 {
		t.Errorf("groups %d %d %d", p.Group("first"), p.Group(""), p.Group("none"))
	}
	m := NewMatcher()
	defer m.Release()
	path := []byte("/One/two/3")
	if !p.Captures(m, path) {
		t.Fatal("no match")
	}
	for i, want := range []string{"/One/two/3", "One", "", "two/3", ""} {
		if from, to := m.Group(i); string(path[from:to]) != want {
			t.Errorf("group %d is %q, want %q", i, path[from:to], want)
		}
	}
	if from, to := m.Group(99); from != 0 || to != 0 {
		t.Error("a group beyond all is something")
	}
}

// TestMatcherIsBounded: a path that no expression of its length can be worse on costs no more than the Matcher has.
func TestMatcherIsBounded(t *testing.T) {
	long := []byte("/" + strings.Repeat("a", 60_000))
	for _, text := range []string{"/(a|a)*b", "/(a*)*b", "/(((a*)*)*)*b", "/(.*)(.*)(.*)(.*)x", "/(?:a?){100}b", "/.*.*.*=.*"} {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		m := NewMatcher()
		for range 1000 {
			if p.MatchAll(m, long) {
				t.Errorf("%s matches", text)
			}
		}
		if !m.Exhausted() || len(m.visited) > maxVisited/64+1 {
			t.Errorf("%s: %d steps left, %d words", text, m.left, len(m.visited))
		}
		m.Release()
	}
}

// FuzzPattern compares with package regexp, on ASCII: the match and its groups.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{"/a(b|c)*d?", "/(.*)/(x+?)$", "/[^/]{2,4}(?:\\b|y)", "/a|/b", "/(a|ab)(c|bcd)(d*)", "(?-i:/A)b", "/x(?!y)", "/\\Qa.b\\E", "/(\\d+)-\\1", "/[[:alpha:]\\d-]+", "^$", "/()*x"} {
		f.Add(text, "/abcd")
		f.Add(text, "/AB/xx")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := ParsePattern(text)
		if len(path) > 300 || strings.ContainsFunc(text+path, func(r rune) bool { return r >= 0x80 || r == '\n' }) || strings.Contains(text, `\\`) || strings.Contains(text, `\"`) || strings.Contains(text, `\'`) {
			return
		}
		whole, goErr := regexp.Compile("(?i)^" + text)
		if goErr != nil && err == nil {
			// What is a repetition of the anchor to the one is one of nothing to the other.
			if _, bare := regexp.Compile("(?i)" + text); bare != nil {
				t.Fatalf("%q is taken, and %v", text, goErr)
			}
			return
		}
		if goErr != nil {
			return
		}
		m := NewMatcher()
		defer m.Release()
		got := p.MatchAll(m, []byte(path))
		if m.Exhausted() {
			return
		}
		want := whole.MatchString(path)
		if err != nil {
			// It stands for more than the text.
			if want && !got {
				t.Fatalf("%q matches %q, and what stands for it does not", text, path)
			}
			return
		}
		if got != want {
			t.Fatalf("%q on %q: %v, regexp says %v", text, path, got, want)
		}
		if !got {
			return
		}
		groups := regexp.MustCompile("(?i)" + text).FindStringSubmatchIndex(path)
		if !p.Captures(m, []byte(path)) {
			t.Fatalf("%q on %q: no groups", text, path)
		}
		for i := 0; i < len(groups)/2 && i < maxGroups; i++ {
			from, to := m.Group(i)
			if groups[2*i] < 0 && from == to || from == groups[2*i] && to == groups[2*i+1] {
				continue
			}
			t.Fatalf("%q on %q: group %d is %d:%d, regexp says %v", text, path, i, from, to, groups)
		}
	})
}

// BenchmarkParsePattern is what an object costs for each of its paths.
func BenchmarkParsePattern(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePattern("/api/team-7/service-42(/|$)(.*)"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPatternEveryByte: each byte is itself, whatever it is, and folds only where ASCII does.
func TestPatternEveryByte(t *testing.T) {
	for _, text := range []string{"/k", "/[a-z]", "/[^a-z]", "/.", "/\\w", "/\xc3", "/[\x80-\xff]", "/(?-i:s)"} {
		text = strings.ReplaceAll(text, "\\\\", "\\")
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		// Bytes from 0x80 on are no letters, and stand for themselves: Latin-1 in package regexp, less its folding.
		var latin strings.Builder
		for i := range len(text) {
			latin.WriteRune(rune(text[i]))
		}
		whole := regexp.MustCompile("^(?i)" + latin.String())
		m := NewMatcher()
		for c := range 256 {
			path := []byte{'/', byte(c)}
			want := whole.MatchString("/" + string(rune(c)))
			if c >= 0x80 && text == "/\xc3" {
				want = c == 0xc3
			}
			if got := p.MatchAll(m, path); got != want {
				t.Errorf("%q on byte %#x: %v, want %v", text, c, got, want)
			}
		}
		m.Release()
	}
}

// TestParseAnywhere: what matches anywhere, with regard to case, and what is refused.
func TestParseAnywhere(t *testing.T) {
	for _, row := range []struct {
		text, input string
		want        bool
	}{
		{"^(de|fr)$", "de", true}, {"^(de|fr)$", "DE", false}, {"^(de|fr)$", "dex", false},
		{"t.*", "at", true}, {"t$", "ta", false}, {"", "x", true}, {"(?i)AB", "xab", true}, {`a\.b`, "a.b", true}, {`a\.b`, "axb", false},
		{"é", "caf\xc3\xa9", true}, {`[^a]`, "aa", false}, {`\bx\b`, "a x b", true},
	} {
		p, err := ParseAnywhere(row.text)
		if err != nil {
			t.Errorf("%q: %v", row.text, err)
			continue
		}
		m := NewMatcher()
		if got := p.MatchAll(m, []byte(row.input)); got != row.want || m.Exhausted() {
			t.Errorf("%q and %q: got %v", row.text, row.input, got)
		}
		m.Release()
	}
	for _, text := range []string{"[a-", "(?=a)", `(a)\1`, "a++", "(a{30}){30}(a{30}){30}", strings.Repeat("a", MaxText+1), "*"} {
		if _, err := ParseAnywhere(text); err == nil || strings.Contains(err.Error(), text) && len(text) > 1 {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}
