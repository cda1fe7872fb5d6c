package annotation

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const rewriteTarget = "rewrite-target"

var _ = add(
	Row{
		Key: "x-forwarded-prefix", Scope: ScopeRoute, Value: "text", Default: "none", Needs: rewriteTarget,
		Set: setPrefix,
		Get: func(s *Settings) any {
			if p, ok := s.Policy.Filter(policy.KindPrefix).(*policy.Prefix); ok {
				return p.Prefix
			}
			return ""
		},
		Doc: "X-Forwarded-Prefix of requests whose path " + rewriteTarget + " replaces, instead of a client's. Of letters, digits and -._~/: alone. " +
			"Captured groups such as $1 are not supported yet: then there is no field.",
	},
)

func setPrefix(s *Settings, value string) error {
	const none = "; there is no field"
	switch {
	case strings.Contains(value, "$"):
		return errors.New("captured groups are not supported yet" + none)
	case value == "" || len(value) > maxURL || strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~/:", r) }):
		return fmt.Errorf("want letters, digits and -._~/: alone, at most %d%s", maxURL, none)
	}
	r, ok := s.Policy.Filter(policy.KindRewrite).(*policy.Rewrite)
	if !ok {
		return errors.New("no path is replaced" + none)
	}
	s.Policy.Set(&policy.Prefix{Prefix: value, Target: r.Target})
	return nil
}
