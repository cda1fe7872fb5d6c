package annotation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// defaultCookie is the session cookie of ingress-nginx.
const defaultCookie = "INGRESSCOOKIE"

const affinity = "affinity"

// Sessions. The cookie is described with policy.Affinity.
var _ = add(
	Row{
		Key: affinity, Scope: ScopeBackend, Value: "cookie", Default: "none",
		Set: func(s *Settings, value string) error {
			if strings.TrimSpace(value) != "cookie" {
				return errors.New("want cookie; requests are balanced one by one")
			}
			s.Policy.Set(&policy.Affinity{Cookie: defaultCookie})
			return nil
		},
		Get: func(s *Settings) any { return s.Policy.Filter(policy.KindAffinity) != nil },
		Doc: "Keeps the requests of a client at one Endpoint, by a cookie that the first response sets, in ingress-nginx's form. " +
			"A client whose cookie is of the main Backend never goes to a canary, and one whose cookie is of the canary always does. " +
			"While its Endpoint is ejected another one serves the client, which keeps its cookie. Wins over upstream-hash-by and load-balance.",
	},
	Row{
		Key: "affinity-canary-behavior", Scope: ScopeBackend, Value: "sticky or legacy", Default: "sticky",
		Set: func(s *Settings, value string) error {
			switch strings.TrimSpace(value) {
			case "sticky":
			case "legacy":
				s.Canary.Loose = true
			default:
				return errors.New("want sticky or legacy; sticky is assumed")
			}
			return nil
		},
		Get: func(s *Settings) any { return s.Canary.Loose },
		Doc: "Of a canary: with legacy it sets no session cookie, and its rules decide about each request anew that has no cookie of the main Backend.",
	},
	Row{
		Key: "affinity-mode", Scope: ScopeBackend, Value: "balanced or persistent", Default: "balanced", Needs: affinity,
		Set: ofAffinity(func(a *policy.Affinity, value string) error {
			switch value {
			case "balanced", "persistent":
				a.Persistent = value == "persistent"
				return nil
			}
			return errors.New("want balanced or persistent; balanced is assumed")
		}),
		Get: getAffinity(func(a *policy.Affinity) any { return a.Persistent }),
		Doc: "With balanced, a part of the clients moves to an Endpoint that comes, as many as it takes to share them out evenly. With persistent none does: " +
			"the cookie names the Endpoint, and is set again only once that is gone.",
	},
	Row{
		Key: "session-cookie-name", Scope: ScopeBackend, Value: "name", Default: defaultCookie, Needs: affinity,
		Set: ofAffinity(func(a *policy.Affinity, value string) error {
			if value == "" || len(value) > maxCanaryText || strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~", r) }) {
				return errors.New("want letters, digits and -._~ alone, 256 at most; " + defaultCookie + " is used")
			}
			a.Cookie = value
			return nil
		}),
		Get: getAffinity(func(a *policy.Affinity) any { return a.Cookie }),
		Doc: "The name of the cookie.",
	},
	Row{
		Key: "session-cookie-path", Scope: ScopeBackend, Value: "path", Default: "the path of the Route", Needs: affinity,
		Set: ofAffinity(func(a *policy.Affinity, value string) error {
			if value == "" || len(value) > maxTarget || strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~/:,?&=", r) }) {
				return errors.New("want letters, digits and -._~/:,?&= alone; the path of the Route is used")
			}
			a.Path = value
			return nil
		}),
		Get: getAffinity(func(a *policy.Affinity) any { return a.Path }),
		Doc: "The Path of the cookie. Where paths are regular expressions it is needed: a browser takes the text of one for a path.",
	},
	Row{
		Key: "session-cookie-domain", Scope: ScopeBackend, Value: "domain", Default: "none", Needs: affinity,
		Set: ofAffinity(func(a *policy.Affinity, value string) error {
			if value == "" || len(value) > 253 || strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '.' }) {
				return errors.New("want a domain; the cookie has none")
			}
			a.Domain = value
			return nil
		}),
		Get: getAffinity(func(a *policy.Affinity) any { return a.Domain }),
		Doc: "The Domain of the cookie.",
	},
	Row{
		Key: "session-cookie-samesite", Scope: ScopeBackend, Value: "None, Lax or Strict", Default: "none", Needs: affinity,
		Set: ofAffinity(func(a *policy.Affinity, value string) error {
			switch value {
			case "None", "Lax", "Strict":
				a.SameSite = value
				return nil
			}
			return errors.New("want None, Lax or Strict, in this spelling; the cookie has none")
		}),
		Get: getAffinity(func(a *policy.Affinity) any { return a.SameSite }),
		Doc: "The SameSite of the cookie.",
	},
	Row{
		Key: "session-cookie-conditional-samesite-none", Scope: ScopeBackend, Value: "true or false", Default: "false", Needs: affinity,
		Set: ofAffinity(affinityBool(func(a *policy.Affinity) *bool { return &a.KnownNone })),
		Get: getAffinity(func(a *policy.Affinity) any { return a.KnownNone }),
		Doc: "Leaves SameSite=None out for old browsers that take it for Strict, or refuse the cookie.",
	},
	Row{
		Key: "session-cookie-secure", Scope: ScopeBackend, Value: "true or false", Default: "false", Needs: affinity,
		Set: ofAffinity(affinityBool(func(a *policy.Affinity) *bool { return &a.Secure })),
		Get: getAffinity(func(a *policy.Affinity) any { return a.Secure }),
		Doc: "Marks the cookie as Secure on plain HTTP too. On HTTPS it always is.",
	},
	Row{
		Key: "session-cookie-max-age", Scope: ScopeBackend, Value: "seconds", Default: "none", Needs: affinity,
		Set: ofAffinity(affinitySeconds(func(a *policy.Affinity) *string { return &a.MaxAge })),
		Get: getAffinity(func(a *policy.Affinity) any { return a.MaxAge }),
		Doc: "The Max-Age of the cookie; below zero it is dropped at once.",
	},
	Row{
		Key: "session-cookie-expires", Scope: ScopeBackend, Value: "seconds", Default: "none", Needs: affinity,
		Set: ofAffinity(affinitySeconds(func(a *policy.Affinity) *string { return &a.Expires })),
		Get: getAffinity(func(a *policy.Affinity) any { return a.Expires }),
		Doc: "The Expires of the cookie: so long after the response.",
	},
	Row{
		Key: "session-cookie-change-on-failure", Scope: ScopeBackend, Value: "true or false", Default: "false", Needs: affinity,
		Set: ofAffinity(affinityBool(func(a *policy.Affinity) *bool { return &a.ChangeOnFailure })),
		Get: getAffinity(func(a *policy.Affinity) any { return a.ChangeOnFailure }),
		Doc: "Gives a client another Endpoint for good when its own has failed. Without it another one answers that request, and the client keeps its cookie.",
	},
)

// ofAffinity makes the Set of a Row that is about sessions. Where there are none, because affinity is refused, the value is
// checked all the same.
func ofAffinity(set func(a *policy.Affinity, value string) error) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		a, ok := s.Policy.Filter(policy.KindAffinity).(*policy.Affinity)
		if !ok {
			a = &policy.Affinity{}
		}
		return set(a, strings.TrimSpace(value))
	}
}

func getAffinity(get func(*policy.Affinity) any) func(*Settings) any {
	return func(s *Settings) any {
		if a, ok := s.Policy.Filter(policy.KindAffinity).(*policy.Affinity); ok {
			return get(a)
		}
		return nil
	}
}

func affinityBool(field func(*policy.Affinity) *bool) func(*policy.Affinity, string) error {
	return func(a *policy.Affinity, value string) error {
		on, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("want true or false; false is assumed")
		}
		*field(a) = on
		return nil
	}
}

// maxAge bounds the life of a cookie, in seconds: some hundred years.
const maxAge = 1 << 32

func affinitySeconds(field func(*policy.Affinity) *string) func(*policy.Affinity, string) error {
	return func(a *policy.Affinity, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n > maxAge || n < -maxAge {
			return fmt.Errorf("want whole seconds, %d at most; the cookie has none", int64(maxAge))
		}
		*field(a) = strconv.FormatInt(n, 10)
		return nil
	}
}
