package annotation

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Login holds the annotations oidc-*.
type Login struct {
	// Asked is true once any of them is present, and Secret is oidc-secret: what is missing opens no path.
	Asked  bool
	Secret string
	// Policy is what they ask for, without what the Secret has.
	Policy policy.Login
}

const (
	// defaultSession is for how long people stay signed in, in seconds, and maxSession a month.
	defaultSession = 12 * 3600
	maxSession     = 31 * 24 * 3600
)

// People who sign in at a provider of OpenID Connect.
var _ = add(
	loginRow(Row{
		Key: "oidc-after-logout", Value: "path", Default: "an answer in words, or /",
		Set: loginPath(func(s *Settings) *string { return &s.Login.Policy.AfterLogout }),
		Get: func(s *Settings) any { return s.Login.Policy.AfterLogout },
		Doc: "Where browsers are sent, on the same host, once they have signed out, by the provider where that ends sessions of its own. Providers send them only where they are told to expect it.",
	}),
	loginRow(Row{
		Key: "oidc-callback-path", Value: "path", Default: "oauth2/callback below the path of the Route",
		Set: loginPath(func(s *Settings) *string { return &s.Login.Policy.Callback }),
		Get: func(s *Settings) any { return s.Login.Policy.Callback },
		Doc: "Where the provider sends browsers back to, on each host: it has to be one of the provider's redirect URIs for the client, and a path that leads to the object. On hosts whose paths are regular expressions the default is /oauth2/callback.",
	}),
	loginRow(Row{
		Key: "oidc-claim-fields", Value: "FIELD=claim, with commas between",
		Set: list(func(s *Settings) *[]string { return &s.Login.Policy.Fields }, "fields", func(pair string) bool {
			name, claim := policy.Pair(pair)
			return claim != "" && plainText(claim) && mayBeClaim(name)
		}),
		Get: func(s *Settings) any { return strings.Join(s.Login.Policy.Fields, ",") },
		Doc: "As jwt-claim-fields, for the ID token of who has signed in: X-User=email.",
	}),
	loginRow(Row{
		Key: "oidc-client-id", Value: "text",
		Set: func(s *Settings, value string) error {
			if value == "" || len(value) > maxURL || !plainText(value) {
				return s.close("want what the provider calls the gateway; " + unreadable)
			}
			s.Login.Policy.Client = value
			return nil
		},
		Get: func(s *Settings) any { return s.Login.Policy.Client },
		Doc: "What the provider of oidc-issuer calls the gateway. Without it: 503.",
	}),
	loginRow(Row{
		Key: "oidc-forward-token", Value: "true or false", Default: "false",
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return s.close("want true or false; " + unreadable)
			}
			s.Login.Policy.ForwardToken = on
			return nil
		},
		Get: func(s *Settings) any { return s.Login.Policy.ForwardToken },
		Doc: "Whether the Backend is sent the access token, as Authorization: Bearer, instead of a client's own Authorization.",
	}),
	loginRow(Row{
		Key: "oidc-issuer", Value: "URL",
		Set: func(s *Settings, value string) error {
			if len(value) > maxURL {
				return s.close("it is too long; " + unreadable)
			}
			if err := policy.ParseKeysURL(value); err != nil {
				return fmt.Errorf("%w: %w", err, s.close(unreadable))
			}
			s.Login.Policy.Issuer = value
			return nil
		},
		Get: func(s *Settings) any { return s.Login.Policy.Issuer },
		Doc: "The provider of OpenID Connect where people sign in: its name, letter by letter, as its own .well-known/openid-configuration has it. " +
			"Pages are redirected there (302, authorization code with PKCE) and come back to oidc-callback-path; other requests without a session are answered 401. Then a cookie has the session, sealed with a key of oidc-secret, and the Backend is not sent it. " +
			"Tokens that expire are renewed where the provider gives a refresh token, which scope offline_access asks some for; otherwise the session lasts for oidc-session-time. oauth2/logout below the path of the Route, or oidc-logout-path, ends it. " +
			"A provider that does not answer within 10 seconds, or whose certificate is not to be trusted: 503. The addresses that no Endpoint may have are not asked. Paths of the object below /.well-known/acme-challenge are open. What does not parse in any oidc- annotation, or is missing: 503.",
	}),
	loginRow(Row{
		Key: "oidc-logout-path", Value: "path", Default: "oauth2/logout below the path of the Route",
		Set: loginPath(func(s *Settings) *string { return &s.Login.Policy.Logout }),
		Get: func(s *Settings) any { return s.Login.Policy.Logout },
		Doc: "Where people sign out.",
	}),
	loginRow(Row{
		Key: "oidc-required-claims", Value: "claim=value, with commas between",
		Set: list(func(s *Settings) *[]string { return &s.Login.Policy.Claims }, "claims", func(pair string) bool {
			name, value := policy.Pair(pair)
			return name != "" && value != "" && plainText(pair)
		}),
		Get: func(s *Settings) any { return strings.Join(s.Login.Policy.Claims, ",") },
		Doc: "As jwt-required-claims, for the ID token of who signs in.",
	}),
	loginRow(Row{
		Key: "oidc-scopes", Value: "names, with commas between", Default: "openid",
		Set: func(s *Settings, value string) error {
			if err := list(func(s *Settings) *[]string { return &s.Login.Policy.Scopes }, "scopes", plainText)(s, value); err != nil {
				return err
			}
			if !strings.Contains(","+strings.Join(s.Login.Policy.Scopes, ",")+",", ",openid,") {
				s.Login.Policy.Scopes = append([]string{"openid"}, s.Login.Policy.Scopes...)
			}
			return nil
		},
		Get: func(s *Settings) any { return strings.Join(s.Login.Policy.Scopes, ",") },
		Doc: "What the provider is asked for. openid is always among it.",
	}),
	loginRow(Row{
		Key: "oidc-secret", Value: "Secret, or namespace/Secret",
		Set: func(s *Settings, value string) error {
			if value == "" || strings.Count(value, "/") > 1 || !only(value, wordChars) {
				return s.close("want the name of a Secret, or namespace/name; " + unreadable)
			}
			s.Login.Secret = value
			return nil
		},
		Get: func(s *Settings) any { return s.Login.Secret },
		Doc: "Secret of the same namespace with session-key, 32 bytes or more of chance that sessions are sealed with, and client-secret, which may be absent for a public client. " +
			"To replace the key keep the former one as session-key-old for oidc-session-time: its sessions are taken, and sealed with the new one. A Secret that is missing, is of another namespace, or has a key that is shorter: 503.",
	}),
	loginRow(Row{
		Key: "oidc-session-time", Value: "seconds", Default: strconv.Itoa(defaultSession),
		Set: func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > maxSession {
				return s.close(fmt.Sprintf("want a number from 1 to %d; %s", maxSession, unreadable))
			}
			s.Login.Policy.Session = time.Duration(n) * time.Second
			return nil
		},
		Get: func(s *Settings) any { return s.Login.Policy.Session.String() },
		Doc: "After which time people have to sign in again, whatever is renewed meanwhile.",
	}),
	loginRow(Row{
		Key: "oidc-*", Value: "anything",
		Set: func(s *Settings, _ string) error {
			return s.close("there is no such annotation, and it may have been meant to guard; " + unreadable)
		},
		Get: closed,
		Doc: "One that is not in this table: the Routes of the object answer 503.",
	}),
)

// loginRow makes the Row of an annotation that has people sign in.
func loginRow(r Row) Row {
	r.Scope, r.OwnOnly = ScopeRoute, true
	set := r.Set
	r.Set = func(s *Settings, value string) error {
		s.Login.Asked = true
		return set(s, value)
	}
	return r
}

// loginPath makes the Set of a Row whose values are paths.
func loginPath(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		if path, err := routing.ParsePath(value); err != nil || path != value || len(value) > maxURL || !only(value, "-._~/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") || strings.HasPrefix(value, "//") {
			return s.close("want a path of letters, digits and - . _ ~ /; " + unreadable)
		}
		*field(s) = value
		return nil
	}
}
