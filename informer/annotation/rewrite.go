package annotation

import (
	"errors"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

var _ = add(
	Row{
		Key: "rewrite-target", Scope: ScopeRoute, Value: "path, or URL", Default: "the client's path",
		Set: setRewrite,
		Get: func(s *Settings) any {
			if r, ok := s.Policy.Filter(policy.KindRewrite).(*policy.Rewrite); ok {
				return r.Target
			}
			return ""
		},
		Doc: "The path that Backends are sent, whatever the client's; its query stays. A Route whose own path is the target keeps the client's. " +
			"Of letters, digits and -._~/:$ alone. $1 to $9, and $ with the name of a group, are what groups of the Route's path have matched, " +
			"nothing for one that the path does not have; $host and $scheme are the request's. Any other $: the Routes answer 503. " +
			"A URL, or a target that begins with $scheme, redirects clients there with 302. A path that comes to hold a segment . or .. of the client's is answered 400. " +
			"In objects that are taken over from ingress-nginx a target turns the paths of the host into regular expressions, as use-regex does; " +
			"in others one with a $.",
	},
	Row{
		Key: "use-regex", Scope: ScopeHost, Value: "true or false", Default: "false",
		Set: boolean(func(s *Settings) *bool { return &s.UseRegex }),
		Get: func(s *Settings) any { return s.UseRegex },
		Doc: "Turns the paths of all objects on the hosts of this one into regular expressions (RE2), whatever their types: without case, from the start of the path, " +
			"decoded and normalised, and open at its end; the one with the longest text is tried first. " +
			"On a host whose oldest object is not taken over from ingress-nginx only objects of its namespace can; those of others then answer 503 there. " +
			"What RE2 does not have, such as look-ahead and back references, or is larger than 1024 bytes and 1000 instructions, is refused by name: " +
			"requests that the path could have matched answer 503. So do those that take more than about a millisecond to match.",
	},
)

func setRewrite(s *Settings, value string) error {
	const kept = "; requests keep their paths"
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~/:$", r) }):
		return errors.New("want letters, digits and -._~/:$ alone" + kept)
	case len(value) > maxTarget:
		return errors.New("it is longer than 2048 bytes" + kept)
	case !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://"):
		return errors.New("want a path that begins with /, or a URL" + kept)
	}
	for i := range len(value) {
		if value[i] == '$' && (i+1 == len(value) || !isAlphanumeric(rune(value[i+1])) && value[i+1] != '_' || value[i+1] == '0') {
			return s.close("a $ wants the number of a group, 1 to 9, or a name behind it; the Routes answer 503")
		}
	}
	s.Policy.Set(&policy.Rewrite{Target: value})
	return nil
}

// maxTarget bounds the targets of rewrites.
const maxTarget = 2048
