package annotation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Canary holds the annotations canary-*. Comparable.
type Canary struct {
	// On is true for an object that is a canary of others: it gives their paths a second Backend, and has none of its own.
	On     bool
	Choice policy.Canary
	// Weight is the share of Total; negative for none.
	Weight, Total int
	// Loose is true where requests that the canary serves get no session cookie.
	Loose bool
}

// defaultTotal is the sum of the weights of a canary and its main object, and the least that nginx takes.
const defaultTotal = 100

// maxTotal keeps weights within 32 bits.
const maxTotal = 1 << 30

var _ = add(
	Row{
		Key: "canary", Scope: ScopeObject, Value: "true or false", Default: "false",
		Set: boolean(func(s *Settings) *bool { return &s.Canary.On }),
		Get: func(s *Settings) any { return s.Canary.On },
		Doc: "Makes the object a canary: its paths are not served, but their Backends take part in what other objects serve at the same host, path and pathType. " +
			"Everything else is the main object's: its policy, protocol and TLS. Of a canary's own annotations only canary-*, affinity-canary-behavior and load-balance count. " +
			"Of several canaries of a path the oldest counts. In objects that are taken over from ingress-nginx a canary belongs to the Service and port of the main path, " +
			"and takes effect wherever objects of that class use these, whatever its own namespace; in others it has to be of the main object's namespace, and takes effect at that path alone. " +
			"While the main Backend has no Endpoint the answer is 503; a canary without one is left out.",
	},
	Row{
		Key: "canary-by-header", Scope: ScopeBackend, Value: "name of a field", Needs: "canary",
		Set: setCanaryName(func(s *Settings) *string { return &s.Canary.Choice.Header }),
		Get: func(s *Settings) any { return s.Canary.Choice.Header },
		Doc: "Requests in which the field is `always` go to the canary, and those in which it is `never` do not; others are asked for the cookie, then for the weight.",
	},
	Row{
		Key: "canary-by-header-value", Scope: ScopeBackend, Value: "text", Needs: "canary",
		Set: setCanaryName(func(s *Settings) *string { return &s.Canary.Choice.Value }),
		Get: func(s *Settings) any { return s.Canary.Choice.Value },
		Doc: "The value of the field of canary-by-header that asks for the canary, in place of `always` and `never`.",
	},
	Row{
		Key: "canary-by-header-pattern", Scope: ScopeBackend, Value: "regular expression", Needs: "canary",
		Set: setCanaryPattern,
		Get: func(s *Settings) any { return [...]any{s.Canary.Choice.Pattern, s.Canary.Choice.Unread} },
		Doc: "Values of the field that ask for the canary, in place of `always` and `never`: those that the expression (RE2) matches anywhere, with regard to case. " +
			"One that cannot be read matches nothing, and requests with the field stay at the main Backend. It has no effect beside canary-by-header-value.",
	},
	Row{
		Key: "canary-by-cookie", Scope: ScopeBackend, Value: "name of a cookie", Needs: "canary",
		Set: setCanaryName(func(s *Settings) *string { return &s.Canary.Choice.Cookie }),
		Get: func(s *Settings) any { return s.Canary.Choice.Cookie },
		Doc: "Requests with the cookie go to the canary where it is `always`, and do not where it is `never`; others are asked for the weight.",
	},
	Row{
		Key: "canary-weight", Scope: ScopeBackend, Value: "number", Default: "0", Needs: "canary",
		Set: func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil {
				return errors.New("want a whole number; 0 is assumed")
			}
			if s.Canary.Weight = min(max(n, -1), maxTotal); n < 0 {
				return errors.New("want a number from 0 on; no request goes to the canary by chance")
			}
			return nil
		},
		Get: func(s *Settings) any { return s.Canary.Weight },
		Doc: "How many of canary-weight-total requests go to the canary, by chance; as many or more: all.",
	},
	Row{
		Key: "canary-weight-total", Scope: ScopeBackend, Value: "number", Default: "100", Needs: "canary",
		Set: func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < defaultTotal || n > maxTotal {
				return fmt.Errorf("want a number from %d to %d; %d is assumed", defaultTotal, maxTotal, defaultTotal)
			}
			s.Canary.Total = n
			return nil
		},
		Get: func(s *Settings) any { return s.Canary.Total },
		Doc: "What canary-weight is a part of.",
	},
)

// setCanaryName makes the Set of a name, or a value, of the characters that ingress-nginx takes.
func setCanaryName(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		value = strings.TrimSpace(value)
		switch {
		case value == "" || !basic(value):
			return errors.New("want letters, digits and /-._~: alone; it is not asked for")
		case len(value) > maxCanaryText:
			return fmt.Errorf("it is longer than %d bytes; it is not asked for", maxCanaryText)
		}
		*field(s) = value
		return nil
	}
}

// maxCanaryText bounds what each request is compared with.
const maxCanaryText = 256

// basic reports whether a text has nothing but what ingress-nginx takes for a name, and spaces.
func basic(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("/-._~: ", r) })
}

func setCanaryPattern(s *Settings, value string) error {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune(`/-._~:^$[](){}*+?|&=\`, r)
	}) {
		return errors.New("want letters, digits and /-._~:^$[](){}*+?|&=\\ alone; always and never count instead")
	}
	c := &s.Canary.Choice
	if _, err := expression.ParseAnywhere(value); err != nil {
		// The text of one that cannot be read is for people alone.
		c.Pattern, c.Unread = value[:min(len(value), maxCanaryText)], true
		return fmt.Errorf("%w; requests with the field stay at the main Backend", err)
	}
	c.Pattern = value
	return nil
}

// CanaryCounts reports whether an annotation counts in a canary; all others are those of the main object.
func CanaryCounts(key string) bool {
	switch key {
	case "affinity-canary-behavior", "load-balance", "service-upstream":
		return true
	}
	return key == "canary" || strings.HasPrefix(key, "canary-")
}
