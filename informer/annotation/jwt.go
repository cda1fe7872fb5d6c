package annotation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing/jwt"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// JWT holds the annotations jwt-*.
type JWT struct {
	// Asked is true once any of them is present, and Keys is jwt-keys: one that is missing opens no path.
	Asked bool
	Keys  string
	// Policy is what they ask for, without the keys.
	Policy policy.JWT
}

const (
	jwtKeys = "jwt-keys"
	// defaultLeeway is for the clocks of issuers, in seconds.
	defaultLeeway = 30
	maxLeeway     = 600
	// maxPairs bounds what a token must say, and the fields that come of it.
	maxPairs = 32
)

// Tokens that a private key has signed.
var _ = add(
	jwtRow(Row{
		Key: jwtKeys, Value: "URL, Secret, or namespace/Secret",
		Set: func(s *Settings, value string) error {
			switch {
			case value == "" || len(value) > maxURL:
				return s.close("want a URL of http or https, or the name of a Secret; " + unreadable)
			case strings.Contains(value, "://"):
				if err := policy.ParseKeysURL(value); err != nil {
					return fmt.Errorf("%w: %w", err, s.close(unreadable))
				}
			case strings.Count(value, "/") > 1 || !only(value, wordChars):
				return s.close("want a URL of http or https, or the name of a Secret; " + unreadable)
			}
			s.JWT.Keys = value
			return nil
		},
		Get: func(s *Settings) any { return s.JWT.Keys },
		Doc: "The public keys of who signs tokens: clients must send one that they have signed (RFC 7519), as Authorization: Bearer or in jwt-cookie, and are answered 401 with what is wrong otherwise (RFC 6750). " +
			"The keys are a JSON Web Key Set, at a URL or in the key jwks of a Secret of the same namespace. Those of a URL are fetched by the first request, again each 5 minutes, and at once for a token of a key that is not among them, at most each 10 seconds; " +
			"an https URL has a certificate that is verified. Where it cannot be reached within 5 seconds, has more than 256 KiB or no keys, the Routes answer 503, but keys are used for an hour after they were fetched. The addresses that no Endpoint may have are not asked. " +
			"Tokens must have an end (exp). Paths of the object below /.well-known/acme-challenge are open. A Secret that is missing, is of another namespace or has no key that can be used, or a value of any jwt- annotation that does not parse: 503.",
	}),
	jwtRow(Row{
		Key: "jwt-algorithms", Value: "names, with commas between", Default: strings.Join(jwt.Algorithms, ", "),
		Set: list(func(s *Settings) *[]string { return &s.JWT.Policy.Algorithms }, "algorithms", func(name string) bool { return slices.Contains(jwt.Algorithms, name) }),
		Get: func(s *Settings) any { return strings.Join(s.JWT.Policy.Algorithms, ",") },
		Doc: "The algorithms that tokens may be signed by, of those of the default. A key is used with those of its own type alone.",
	}),
	jwtRow(Row{
		Key: "jwt-audiences", Value: "names, with commas between", Default: "any",
		Set: list(func(s *Settings) *[]string { return &s.JWT.Policy.Audiences }, "audiences", plainText),
		Get: func(s *Settings) any { return strings.Join(s.JWT.Policy.Audiences, ",") },
		Doc: "Whom a token must be for: one of these is among its aud. Without it a token that the issuer made for another service is taken too.",
	}),
	jwtRow(Row{
		Key: "jwt-claim-fields", Value: "FIELD=claim, with commas between",
		Set: list(func(s *Settings) *[]string { return &s.JWT.Policy.Fields }, "fields", func(pair string) bool {
			name, claim := policy.Pair(pair)
			return claim != "" && plainText(claim) && mayBeClaim(name)
		}),
		Get: func(s *Settings) any { return strings.Join(s.JWT.Policy.Fields, ",") },
		Doc: "Fields that the Backend is sent, each with a claim of the token, such as X-User=sub. A client's own are not sent. Claims within others have dots between: realm_access.roles. " +
			"Of a list all elements are sent, with commas between. A claim that is absent, an object, or has text that no field can have, or a list with a comma in an element, is not sent.",
	}),
	jwtRow(Row{
		Key: "jwt-cookie", Value: "name of a cookie",
		Set: func(s *Settings, value string) error {
			if !isCookieName(value) {
				return s.close("want the name of a cookie; " + unreadable)
			}
			s.JWT.Policy.Cookie = value
			return nil
		},
		Get: func(s *Settings) any { return s.JWT.Policy.Cookie },
		Doc: "The cookie that has the token where Authorization has none.",
	}),
	jwtRow(Row{
		Key: "jwt-forward-token", Value: "true or false", Default: "true",
		Set: func(s *Settings, value string) error {
			keep, err := strconv.ParseBool(value)
			if err != nil {
				return s.close("want true or false; " + unreadable)
			}
			s.JWT.Policy.Keep = keep
			return nil
		},
		Get: func(s *Settings) any { return s.JWT.Policy.Keep },
		Doc: "Whether the Backend is sent the field Authorization.",
	}),
	jwtRow(Row{
		Key: "jwt-issuer", Value: "text", Default: "any",
		Set: func(s *Settings, value string) error {
			if value == "" || len(value) > maxURL || !plainText(value) {
				return s.close("want the name of an issuer; " + unreadable)
			}
			s.JWT.Policy.Issuer = value
			return nil
		},
		Get: func(s *Settings) any { return s.JWT.Policy.Issuer },
		Doc: "Whose a token must be: its iss, letter by letter.",
	}),
	jwtRow(Row{
		Key: "jwt-leeway", Value: "seconds", Default: strconv.Itoa(defaultLeeway),
		Set: func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > maxLeeway {
				return s.close(fmt.Sprintf("want a number from 0 to %d; %s", maxLeeway, unreadable))
			}
			s.JWT.Policy.Leeway = time.Duration(n) * time.Second
			return nil
		},
		Get: func(s *Settings) any { return s.JWT.Policy.Leeway.String() },
		Doc: "How far the issuer's clock may differ, where times of a token are looked at.",
	}),
	jwtRow(Row{
		Key: "jwt-realm", Value: "text of letters, digits, spaces and - . _ ~ / :", Default: "an empty one",
		Set: func(s *Settings, value string) error {
			if !only(value, wordChars+" ") || len(value) > maxRealm {
				return s.close("want letters, digits, spaces and - . _ ~ / : alone, at most 256; " + unreadable)
			}
			s.JWT.Policy.Realm = value
			return nil
		},
		Get: func(s *Settings) any { return s.JWT.Policy.Realm },
		Doc: "The realm that clients are told in WWW-Authenticate.",
	}),
	jwtRow(Row{
		Key: "jwt-required-claims", Value: "claim=value, with commas between",
		Set: list(func(s *Settings) *[]string { return &s.JWT.Policy.Claims }, "claims", func(pair string) bool {
			name, value := policy.Pair(pair)
			return name != "" && value != "" && plainText(pair)
		}),
		Get: func(s *Settings) any { return strings.Join(s.JWT.Policy.Claims, ",") },
		Doc: "What a token must say, all of it: each claim is the value, or a list with it; scope is a list of words. Others are answered 403. Claims within others have dots between.",
	}),
	jwtRow(Row{
		Key: "jwt-*", Value: "anything",
		Set: func(s *Settings, _ string) error {
			return s.close("there is no such annotation, and it may have been meant to guard; " + unreadable)
		},
		Get: closed,
		Doc: "One that is not in this table: the Routes of the object answer 503.",
	}),
)

// jwtRow makes the Row of an annotation that asks for tokens.
func jwtRow(r Row) Row {
	r.Scope, r.OwnOnly = ScopeRoute, true
	set := r.Set
	r.Set = func(s *Settings, value string) error {
		s.JWT.Asked = true
		return set(s, value)
	}
	return r
}

// list makes the Set of a Row whose values are lists that guard: a part that does not parse closes the object.
func list(field func(*Settings) *[]string, what string, valid func(string) bool) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		var parts []string
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if len(part) > maxURL || !valid(part) {
				return fmt.Errorf("%s cannot be read: %w", brief(part), s.close(unreadable))
			}
			if parts = append(parts, part); len(parts) > maxPairs {
				return s.close(fmt.Sprintf("want at most %d %s; %s", maxPairs, what, unreadable))
			}
		}
		if len(parts) == 0 {
			return s.close("want " + what + ", with commas between; " + unreadable)
		}
		*field(s) = parts
		return nil
	}
}

// plainText reports whether text has printable characters of ASCII alone, and no quotation mark.
func plainText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' })
}

// mayBeClaim reports whether a field may have what a token says of who asks.
func mayBeClaim(name string) bool {
	return only(name, "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") && policy.ValidField(name, "") == nil &&
		!slices.ContainsFunc([]string{"authorization", "proxy-authorization", "cookie", "expect", "content-type", "date"}, func(s string) bool { return strings.EqualFold(s, name) })
}

func isCookieName(s string) bool {
	return s != "" && len(s) <= 64 && only(s, "-_.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}
