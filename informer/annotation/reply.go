package annotation

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	redirectFrom = "proxy-redirect-from"
	offWord      = "off"
)

// What of a Backend's responses is changed.
var _ = add(
	Row{
		Key: redirectFrom, Scope: ScopeRoute, Value: "beginning of a URL, or off", Default: offWord,
		Set: func(s *Settings, value string) error {
			if value == offWord || value == "default" {
				s.Policy.Remove(policy.KindLocation)
				return nil
			}
			if err := validBeginning(value); err != nil {
				return err
			}
			s.Policy.Set(&policy.Location{From: value})
			return nil
		},
		Get: func(s *Settings) any { return locationOf(s).From },
		Doc: "The beginning of a Backend's Location, and of the URL in its Refresh, that proxy-redirect-to replaces, with which alone it has an effect. " +
			"Of letters, digits and -._~/:?&= alone; regular expressions and variables are not supported. default changes nothing, as in ingress-nginx.",
	},
	Row{
		Key: "proxy-redirect-to", Scope: ScopeRoute, Value: "beginning of a URL, or off", Default: offWord, Needs: redirectFrom,
		Set: func(s *Settings, value string) error {
			if value == offWord {
				s.Policy.Remove(policy.KindLocation)
				return nil
			}
			if err := validBeginning(value); err != nil {
				return err
			}
			if l := locationOf(s); l.From != "" {
				s.Policy.Set(&policy.Location{From: l.From, To: value})
			}
			return nil
		},
		Get: func(s *Settings) any { return locationOf(s).To },
		Doc: "What replaces " + redirectFrom + ".",
	},
	Row{
		Key: "proxy-cookie-domain", Scope: ScopeRoute, Value: "two domains, or off", Default: offWord,
		Set: setCookies(func(c *policy.Cookies) *policy.Change { return &c.Domain }, wordChars, "."),
		Get: func(s *Settings) any { return changeText(cookiesOf(s).Domain) },
		Doc: "The Domain of a Backend's cookies that is replaced, and by what. Case does not count, nor does a dot before either. Regular expressions and variables are not supported.",
	},
	Row{
		Key: "proxy-cookie-path", Scope: ScopeRoute, Value: "two paths, or off", Default: offWord,
		Set: setCookies(func(c *policy.Cookies) *policy.Change { return &c.Path }, wordChars+"?&=", ""),
		Get: func(s *Settings) any { return changeText(cookiesOf(s).Path) },
		Doc: "The beginning of the Path of a Backend's cookies that is replaced, and by what. Regular expressions and variables are not supported.",
	},
	Row{
		Key: "proxy-http-version", Scope: ScopeBackend, Value: "1.1", Default: "1.1",
		Set: func(_ *Settings, value string) error {
			switch strings.TrimSpace(value) {
			case "1.1":
				return nil
			case "1.0":
				return errors.New("HTTP/1.0 is not spoken to Backends, which keeps no connection and has no chunks; 1.1 is used")
			}
			return errors.New("want 1.1; it is used")
		},
		Get: func(*Settings) any { return "no effect" },
		Doc: "Taken and without effect: Backends are spoken to in HTTP/1.1, or in HTTP/2 where backend-protocol says so.",
	},
	Row{
		Key: "http2-push-preload", Scope: ScopeHost, Value: "true or false", Default: "false",
		Set: boolean(func(*Settings) *bool { return new(bool) }),
		Get: func(*Settings) any { return "no effect" },
		Doc: "Taken and without effect, as in ingress-nginx: browsers have given up server push. The field Link goes to clients.",
	},
)

// validBeginning reports why a text cannot be the beginning of a URL, as proxy-redirect-* take it.
func validBeginning(value string) error {
	const otherwise = "; redirects stay as they are"
	switch {
	case strings.HasPrefix(value, "~"):
		return errors.New("regular expressions are not supported" + otherwise)
	case value == "" || len(value) > maxURL || !only(value, wordChars+"?&="):
		return fmt.Errorf("want letters, digits and -._~/:?&= alone, at most %d%s", maxURL, otherwise)
	}
	return nil
}

// locationOf returns the Location of the Policy, or a new one that is not in the Policy.
func locationOf(s *Settings) *policy.Location {
	if l, ok := s.Policy.Filter(policy.KindLocation).(*policy.Location); ok {
		return l
	}
	return &policy.Location{}
}

// cookiesOf returns the Cookies of the Policy, or a new one that is not in the Policy.
func cookiesOf(s *Settings) *policy.Cookies {
	if c, ok := s.Policy.Filter(policy.KindCookies).(*policy.Cookies); ok {
		return c
	}
	return &policy.Cookies{}
}

// setCookies makes the Set of a Row whose values are two words of chars, less skip before each.
func setCookies(field func(*policy.Cookies) *policy.Change, chars, skip string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		const otherwise = "; cookies stay as they are"
		next := *cookiesOf(s)
		if words := strings.Fields(value); value == offWord {
			*field(&next) = policy.Change{}
		} else {
			if len(value) > maxURL || len(words) != 2 || !only(words[0]+words[1], chars) {
				return errors.New("want two words, the old one and the new one, of letters, digits and " + strings.Trim(chars, alphanumerics) + ", or off" + otherwise)
			}
			if strings.HasPrefix(words[0], "~") {
				return errors.New("regular expressions are not supported" + otherwise)
			}
			change := policy.Change{From: strings.TrimPrefix(words[0], skip), To: strings.TrimPrefix(words[1], skip)}
			if change.From == "" || change.To == "" {
				return errors.New("a dot is no domain" + otherwise)
			}
			*field(&next) = change
		}
		if next == (policy.Cookies{}) {
			s.Policy.Remove(policy.KindCookies)
		} else {
			s.Policy.Set(&next)
		}
		return nil
	}
}

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func changeText(c policy.Change) string {
	if c == (policy.Change{}) {
		return ""
	}
	return c.From + " " + c.To
}
