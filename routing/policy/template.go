package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Part is a piece of a text with variables, as nginx has them: Text as it stands, or what the request has for Variable.
type Part struct{ Text, Variable string }

// variables are those that ParseTemplate takes; those that end with "_" stand for all names that begin so.
var variables = []string{
	"args", "arg_", "best_http_host", "cookie_", "escaped_request_uri", "host", "http_", "http_host", "pass_access_scheme",
	"remote_addr", "request_method", "request_uri", "scheme", "uri",
}

// maxParts bounds a template, and with that what a request makes of it.
const maxParts = 64

// ParseTemplate reads text with variables, $name or ${name}.
func ParseTemplate(s string) (parts []Part, err error) {
	for s != "" {
		text, rest, found := strings.Cut(s, "$")
		if text != "" {
			parts = append(parts, Part{Text: text})
		}
		if !found {
			break
		}
		inner, braced := strings.CutPrefix(rest, "{")
		name := inner[:len(inner)-len(strings.TrimLeft(inner, "abcdefghijklmnopqrstuvwxyz_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
		if s = inner[len(name):]; braced {
			if !strings.HasPrefix(s, "}") {
				return nil, errors.New("a variable in braces has no end")
			}
			s = s[1:]
		}
		if !slices.ContainsFunc(variables, func(v string) bool {
			return name == v && !strings.HasSuffix(v, "_") || strings.HasSuffix(v, "_") && strings.HasPrefix(name, v) && name != v
		}) {
			return nil, fmt.Errorf("there is no variable %s", Word("$"+name))
		}
		if parts = append(parts, Part{Variable: name}); len(parts) > maxParts {
			return nil, fmt.Errorf("it has more than %d parts", maxParts)
		}
	}
	return parts, nil
}
