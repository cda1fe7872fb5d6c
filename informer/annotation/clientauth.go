package annotation

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
)

// Client certificates.
var _ = add(
	Row{
		Key: "auth-tls-error-page", Scope: ScopeHost, Value: "URL, or path",
		Set: asks(setAuthPage),
		Get: func(s *Settings) any { return s.ClientAuth.ErrorPage },
		Doc: "Where clients without a good certificate are redirected to; without it they are answered 400.",
	},
	Row{
		Key: "auth-tls-match-cn", Scope: ScopeHost, Value: "CN= and a regular expression (RE2)", Default: "any",
		Set: asks(setAuthName),
		Get: func(s *Settings) any { return s.ClientAuth.Name.String() },
		Doc: "The common name of a client's certificate; others are answered 403. It is matched from the start, once, when the certificate is verified: " +
			"on a connection that was opened for a host with another one a request gets 421. " +
			"At most 1024 bytes, and a program of 1000 instructions once repetitions are written out (a{1000} is 1000); " +
			"names of more than 512 bytes do not match. What does not parse, or is larger: 503.",
	},
	Row{
		Key: "auth-tls-pass-certificate-to-upstream", Scope: ScopeHost, Value: "true or false", Default: "false",
		Set: asks(boolean(func(s *Settings) *bool { return &s.ClientAuth.Pass })),
		Get: func(s *Settings) any { return s.ClientAuth.Pass },
		Doc: "Whether the Backend is sent the client's certificate, as PEM, percent-encoded, in ssl-client-cert. " +
			"One of more than 8 KiB, or with names of more than 2 KiB, is none that is good: it would go with every request.",
	},
	Row{
		Key: "auth-tls-secret", Scope: ScopeHost, Value: "Secret, or namespace/Secret",
		Set: asks(func(s *Settings, value string) error {
			s.ClientAuth.Secret = value
			return nil
		}),
		Get: func(s *Settings) any { return s.ClientAuth.Secret },
		Doc: "Secret of the same namespace, of any type, with the authorities of client certificates in ca.crt and, if there is one, a list of revoked ones in ca.crl. " +
			"Clients of the object's hosts must show a certificate, whichever object has the path. " +
			"Of several objects on a host the oldest decides, and those that ask for something else answer 503. " +
			"A Secret that is missing or cannot be read: the hosts answer 503. " +
			"Over plain HTTP they answer 400, and on a connection that was opened for a host with other rules 421. " +
			"Backends are sent ssl-client-verify (SUCCESS, NONE or FAILED:reason), ssl-client-subject-dn and ssl-client-issuer-dn, " +
			"and none of a client's own fields that begin with ssl-client-.",
	},
	Row{
		Key: "auth-tls-verify-client", Scope: ScopeHost, Value: "on, off, optional or optional_no_ca", Default: "on",
		Set: setAuthMode,
		Get: func(s *Settings) any {
			if s.ClientAuth.Off {
				return routing.ClientAuthOff
			}
			return s.ClientAuth.Mode
		},
		Doc: "Whether a certificate is wanted, and must be a good one. The other auth-tls-* without auth-tls-secret: 503.",
	},
	Row{
		Key: "auth-tls-verify-depth", Scope: ScopeHost, Value: "number", Default: "1",
		Set: asks(depth(func(s *Settings) *int { return &s.ClientAuth.Depth })),
		Get: func(s *Settings) any { return s.ClientAuth.Depth },
		Doc: "Most intermediate certificates between a client's and the authority's. " +
			"A client that shows more than that, its own and one more has none that is good: they are not verified.",
	},
)

// asks has a Row ask for certificates even where its value is refused: an object that mentions them must not be served
// without.
func asks(set func(*Settings, string) error) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		s.ClientAuth.Asked = true
		return set(s, value)
	}
}

func setAuthMode(s *Settings, value string) error {
	if value == routing.ClientAuthOff.String() {
		s.ClientAuth.Off = true
		return nil
	}
	s.ClientAuth.Asked = true
	for m := routing.ClientAuthOn; m <= routing.ClientAuthOptionalNoCA; m++ {
		if value == m.String() {
			s.ClientAuth.Mode = m
			return nil
		}
	}
	return errors.New("want on, off, optional or optional_no_ca; on is assumed")
}

func setAuthPage(s *Settings, value string) error {
	u, err := url.Parse(value)
	absolute := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	path := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")
	if (!absolute && !path) || u.User != nil || strings.ContainsAny(value, "$\\ \"<>") {
		return errors.New("want a URL of http or https, or a path, without variables; clients are answered 400 instead")
	}
	s.ClientAuth.ErrorPage = value
	return nil
}

func setAuthName(s *Settings, value string) error {
	// Both, because a bracket in the value may close the group around it.
	_, err := expression.Parse(value)
	joined, joinedErr := expression.Parse("^(?:" + value + ")")
	if err == nil {
		err = joinedErr
	}
	if err == nil && !strings.HasPrefix(value, "CN=") {
		err = errors.New("it does not begin with CN=")
	}
	if err != nil {
		s.ClosesHosts = true
		return fmt.Errorf("%w: %w", err, s.close("want CN= and a regular expression of RE2; the hosts of the object answer 503"))
	}
	s.ClientAuth.Name = joined
	return nil
}
