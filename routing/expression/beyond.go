package expression

import "strings"

// What PCRE has and RE2 has not, or reads otherwise. A text with any of it is refused by name, and never approximated.

// beyond names the first construct of a text that is not RE2's, "" for none. It looks at the text alone: what it
// does not know the parser refuses.
func beyond(text string) string {
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, `\Q`):
			end := strings.Index(rest, `\E`)
			if end < 0 {
				return ""
			}
			i += end + 1
		case rest[0] == '\\' && len(rest) > 1:
			i++
			switch c := rest[1]; {
			case '0' <= c && c <= '9' || c == 'k' || c == 'g':
				return `a back reference (\` + string(c) + `)`
			case c == 'p' || c == 'P' || c == 'z' || c == 'Z' || c == 'v' || c == 'G' || c == 'K' || c == 'R' || c == 'h' || c == 'H' || c == 'X' || c == 'N':
				return `\` + string(c)
			case c == 'x' && (len(rest) < 3 || rest[2] < '0' || rest[2] > '7'):
				return `\x of a byte beyond 7f`
			}
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!"):
			return "look-ahead (" + rest[:3] + ")"
		case strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			return "look-behind (" + rest[:4] + ")"
		case strings.HasPrefix(rest, "(?>"):
			return "an atomic group ((?>)"
		case strings.HasPrefix(rest, "(?|"), strings.HasPrefix(rest, "(?#"), strings.HasPrefix(rest, "(?("), strings.HasPrefix(rest, "(?R"), strings.HasPrefix(rest, "(?&"), strings.HasPrefix(rest, "(*"):
			return rest[:min(3, len(rest))]
		case len(rest) > 1 && strings.IndexByte("*+?}", rest[0]) >= 0 && rest[1] == '+':
			return "a possessive quantifier (" + rest[:2] + ")"
		case rest[0] == '[':
			n := class(rest)
			if c := beyondClass(rest[:n]); c != "" {
				return c
			}
			i += n - 1
		}
	}
	return ""
}

func beyondClass(class string) string {
	for i := 0; i+1 < len(class); i++ {
		if class[i] != '\\' {
			continue
		}
		i++
		if c := class[i]; '0' <= c && c <= '9' || strings.IndexByte("bBpPvhHRN", c) >= 0 || c == 'x' && (i+1 >= len(class) || class[i+1] < '0' || class[i+1] > '7') {
			return `\` + string(c) + " in a class"
		}
	}
	return ""
}

// class returns the length of the character class that text begins with, all of it where the class has no end.
func class(text string) int {
	i := 1
	if i < len(text) && text[i] == '^' {
		i++
	}
	if i < len(text) && text[i] == ']' {
		i++
	}
	for ; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case strings.HasPrefix(text[i:], "[:"):
			if end := strings.Index(text[i:], ":]"); end > 0 {
				i += end + 1
			}
		case text[i] == ']':
			return i + 1
		}
	}
	return len(text)
}

// alternates reports whether a text has alternatives outside its groups.
func alternates(text string) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if strings.HasPrefix(text[i:], `\Q`) {
				end := strings.Index(text[i:], `\E`)
				if end < 0 {
					return false
				}
				i += end
			}
			i++
		case '[':
			i += class(text[i:]) - 1
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth <= 0 {
				return true
			}
		}
	}
	return false
}

// widen returns a text that matches what the given one does, and more: look-around is left out, a back reference may be
// anything. changed is false where there is no such construct.
func widen(text string) (wider string, changed bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			if '1' <= rest[1] && rest[1] <= '9' {
				b.WriteString("(?s:.*)")
				changed = true
				for i+2 < len(text) && '0' <= text[i+2] && text[i+2] <= '9' {
					i++
				}
			} else {
				b.WriteString(rest[:2])
			}
			i++
		case rest[0] == '[':
			n := class(rest)
			b.WriteString(rest[:n])
			i += n - 1
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!") || strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			n := group(rest)
			if n < 0 {
				return "", false
			}
			b.WriteString("(?:)")
			changed = true
			i += n - 1
		case strings.HasPrefix(rest, "(?>"):
			b.WriteString("(?:")
			changed = true
			i += 2
		case len(rest) > 1 && strings.IndexByte("*+?}", rest[0]) >= 0 && rest[1] == '+':
			b.WriteByte(rest[0])
			changed = true
			i++
		default:
			b.WriteByte(rest[0])
		}
	}
	return b.String(), changed
}

// group returns the length of the group that text begins with, negative where it has no end.
func group(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			i += class(text[i:]) - 1
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// literal returns what every match of a text that cannot be read begins with, "" where that is not sure.
func literal(text string) string {
	i := strings.IndexAny(text, `\.[](){}|*+?^$`)
	if i < 0 {
		return text
	}
	if strings.Contains(text, "|") && alternates(text) {
		return ""
	}
	if strings.IndexByte("*?{", text[i]) >= 0 && i > 0 {
		i--
	}
	return text[:i]
}
