package annotation

import (
	"errors"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

var _ = add(
	Row{
		Key: "rewrite-target", Scope: ScopeRoute, Value: "path", Default: "the client's path",
		Set: setRewrite,
		Get: func(s *Settings) any {
			if r, ok := s.Policy.Filter(policy.KindRewrite).(*policy.Rewrite); ok {
				return r.Target
			}
			return ""
		},
		Doc: "The path that Backends are sent, whatever the client's; its query stays. A Route whose own path is the target keeps the client's. " +
			"Of letters, digits and -._~/: alone. Captured groups such as $1 need paths that are regular expressions, which are not supported yet: " +
			"such a target is refused, and requests keep their paths. Unlike in ingress-nginx it changes nothing about how paths are compared.",
	},
)

func setRewrite(s *Settings, value string) error {
	const kept = "; requests keep their paths"
	switch {
	case strings.Contains(value, "$"):
		return errors.New("captured groups are not supported yet, because no path is a regular expression" + kept)
	case !strings.HasPrefix(value, "/"):
		return errors.New("want a path that begins with /" + kept)
	case strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~/:", r) }):
		return errors.New("want letters, digits and -._~/: alone" + kept)
	}
	s.Policy.Set(&policy.Rewrite{Target: value})
	return nil
}
