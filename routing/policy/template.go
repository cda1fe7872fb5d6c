package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Part is a part of a text with variables as nginx has them: Text as it stands, or the name of a Variable, without its $.
type Part struct{ Text, Variable string }

// Variables are those that a text may have, with nginx' names and ingress-nginx's. One that ends with "_" stands for all names
// that begin with it and are longer.
type Variables []string

// has reports whether a name is one of them.
func (v Variables) has(name string) bool {
	return slices.ContainsFunc(v, func(known string) bool {
		if strings.HasSuffix(known, "_") {
			return len(name) > len(known) && strings.HasPrefix(name, known)
		}
		return name == known
	})
}

// maxParts bounds what is put together for each request.
const maxParts = 64

// ParseTemplate takes text with variables apart: $name, or ${name}. What one that is not known stands for cannot be known, and is
// refused.
func ParseTemplate(s string, known Variables) (parts []Part, err error) {
	for s != "" {
		if len(parts) == maxParts {
			return nil, fmt.Errorf("it has more than %d parts", maxParts)
		}
		i := strings.IndexByte(s, '$')
		if i != 0 {
			if i < 0 {
				i = len(s)
			}
			parts = append(parts, Part{Text: s[:i]})
			s = s[i:]
			continue
		}
		name, braces := strings.CutPrefix(s[1:], "{")
		end := strings.IndexFunc(name, notOfVariable)
		if end < 0 {
			end = len(name)
		}
		name, s = name[:end], name[end:]
		if braces {
			var closed bool
			if s, closed = strings.CutPrefix(s, "}"); !closed {
				return nil, errors.New("a { behind a $ has no } behind a name")
			}
		}
		if !known.has(name) {
			return nil, fmt.Errorf("there is no variable %s", Word("$"+name[:min(len(name), 40)]))
		}
		parts = append(parts, Part{Variable: name})
	}
	return parts, nil
}

func notOfVariable(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
