package policy

import (
	"fmt"
	"strings"
)

// Piece is a part of a Template: text, or the name of a variable, without the $.
type Piece struct{ Text, Variable string }

// maxPieces bounds what is put together for each request.
const maxPieces = 32

// headerVariable is what the variables of request fields begin with, as in nginx.
const headerVariable = "http_"

// variables are those that a Template may have, with nginx' names and ingress-nginx's, and those of request fields.
var variables = map[string]bool{
	"host": true, "scheme": true, "remote_addr": true, "namespace": true, "ingress_name": true, "service_name": true, "service_port": true,
}

// ParseTemplate takes text with variables apart: $name, or ${name}. What an unknown one stands for cannot be known, and is
// refused.
func ParseTemplate(s string) (pieces []Piece, err error) {
	for s != "" {
		if len(pieces) == maxPieces {
			return nil, fmt.Errorf("it has more than %d parts", maxPieces)
		}
		i := strings.IndexByte(s, '$')
		if i != 0 {
			if i < 0 {
				i = len(s)
			}
			pieces = append(pieces, Piece{Text: s[:i]})
			s = s[i:]
			continue
		}
		name, rest, braces := s[1:], "", false
		if name, braces = strings.CutPrefix(name, "{"); braces {
			var closed bool
			if name, rest, closed = strings.Cut(name, "}"); !closed {
				return nil, fmt.Errorf("a { behind a $ has no }")
			}
		} else if end := strings.IndexFunc(name, notOfVariable); end >= 0 {
			name, rest = name[:end], name[end:]
		}
		if !knownVariable(name) {
			return nil, fmt.Errorf("there is no variable %s", Word(name[:min(len(name), 40)]))
		}
		pieces = append(pieces, Piece{Variable: name})
		s = rest
	}
	return pieces, nil
}

func notOfVariable(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func knownVariable(name string) bool {
	if field, ok := strings.CutPrefix(name, headerVariable); ok {
		return field != "" && !strings.ContainsFunc(field, notOfVariable)
	}
	return variables[name]
}

// Field returns the name of the request field that a variable stands for: http_x_tenant is X-Tenant's, in any case.
func (p Piece) Field() (name string, ok bool) {
	field, ok := strings.CutPrefix(p.Variable, headerVariable)
	if !ok {
		return "", false
	}
	return strings.ReplaceAll(field, "_", "-"), true
}
