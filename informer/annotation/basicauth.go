package annotation

import (
	"errors"
	"strings"
)

// BasicAuth holds the annotations auth-type, auth-secret, auth-secret-type and auth-realm. Comparable.
type BasicAuth struct {
	Asked  bool
	Secret string
	// Map is true where each key of the Secret is a user.
	Map   bool
	Realm string
}

const unreadable = "who may ask cannot be read; every path of the object answers 503 rather than being open"

// Names and passwords.
var _ = add(
	Row{
		Key: "auth-realm", Scope: ScopeRoute, Value: "text of letters, digits, spaces and - . _ ~ / :", Default: "an empty one",
		Set: func(s *Settings, value string) error {
			if !only(value, wordChars+" ") || len(value) > maxRealm {
				return s.close("want letters, digits, spaces and - . _ ~ / : alone, at most 256; " + unreadable)
			}
			s.BasicAuth.Realm = value
			return nil
		},
		Get: func(s *Settings) any { return s.BasicAuth.Realm },
		Doc: "The realm that browsers show where they ask for a password. The realm off is one like all others, and does not open the paths as in ingress-nginx.",
	},
	Row{
		Key: "auth-secret", Scope: ScopeRoute, Value: "Secret, or namespace/Secret",
		Set: func(s *Settings, value string) error {
			if value == "" || strings.Count(value, "/") > 1 || !only(value, wordChars) {
				return s.close("want the name of a Secret, or namespace/name; " + unreadable)
			}
			s.BasicAuth.Secret = value
			return nil
		},
		Get: func(s *Settings) any { return s.BasicAuth.Secret },
		Doc: "Secret of the same namespace with users and the hashes of their passwords: bcrypt of a cost up to 13, apr1 and MD5, SHA-256 and SHA-512 of crypt up to 500000 rounds, traditional crypt (eight characters count), {SHA}, {SSHA} and {PLAIN}. " +
			"Users with other hashes cannot log in. " +
			"A Secret that is missing, is of another namespace, lacks the key auth or has more than 10000 users: the Routes of the object answer 503.",
	},
	Row{
		Key: "auth-secret-type", Scope: ScopeRoute, Value: "auth-file or auth-map", Default: "auth-file",
		Set: func(s *Settings, value string) error {
			switch value {
			case "auth-file", "auth-map":
				s.BasicAuth.Map = value == "auth-map"
				return nil
			}
			return s.close("want auth-file or auth-map; " + unreadable)
		},
		Get: func(s *Settings) any { return s.BasicAuth.Map },
		Doc: "Whether the Secret has a file in its key auth, as htpasswd writes it, or a key for each user with the hash in it.",
	},
	Row{
		Key: "auth-type", Scope: ScopeRoute, Value: "basic",
		Set: func(s *Settings, value string) error {
			if value != "basic" {
				return s.close("want basic; " + unreadable)
			}
			s.BasicAuth.Asked = true
			return nil
		},
		Get: func(s *Settings) any { return s.BasicAuth.Asked },
		Doc: "Whether clients must send a name and a password of auth-secret; others are answered 401. The Backend is not sent the field Authorization. " +
			"Paths of the object below /.well-known/acme-challenge are open. What does not parse: 503.",
	},
	Row{
		Key: "satisfy", Scope: ScopeRoute, Value: "all or any", Default: "all",
		Set: func(s *Settings, value string) error {
			switch value {
			case "all", "any":
				s.AnyOf = value == "any"
				return nil
			}
			return errors.New("want all or any; all is assumed")
		},
		Get: func(s *Settings) any { return s.AnyOf },
		Doc: "Whether a client must pass all of the address lists, auth-type, jwt-keys and auth-url that the object has, or any of them. A client that denylist-source-range does not have has passed nothing with that.",
	},
)

// maxRealm bounds a realm, which is sent with every 401.
const maxRealm = 256

// wordChars are those that ingress-nginx takes in names.
const wordChars = "-._~/:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func only(s, set string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) })
}
