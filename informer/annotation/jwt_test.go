package annotation

import (
	"strings"
	"time"
)

func init() {
	goodValues[jwtKeys] = "keys"
	examples = append(examples, []example{
		{"jwt-keys", "keys", "keys"},
		{"jwt-keys", "shop/keys", "shop/keys"},
		{"jwt-keys", "https://issuer.test/keys?x=1", "https://issuer.test/keys?x=1"},
		{"jwt-keys", "", closing},
		{"jwt-keys", "a/b/c", closing},
		{"jwt-keys", "ftp://issuer.test/", closing},
		{"jwt-keys", "https://", closing},
		{"jwt-keys", "https://user:pw@issuer.test/", closing},
		{"jwt-keys", "https://issuer.test/$host", closing},
		{"jwt-keys", "https://issuer.test/\r\nX: y", closing},
		{"jwt-algorithms", "RS256, EdDSA", "RS256,EdDSA"},
		{"jwt-algorithms", "RS256, HS256", closing},
		{"jwt-algorithms", "none", closing},
		{"jwt-algorithms", "", closing},
		{"jwt-audiences", "app, https://api.test", "app,https://api.test"},
		{"jwt-audiences", `a"b`, closing},
		{"jwt-audiences", " , ", closing},
		{"jwt-claim-fields", "X-User=sub,X-Roles=realm.roles", "X-User=sub,X-Roles=realm.roles"},
		{"jwt-claim-fields", "X-User", closing},
		{"jwt-claim-fields", "X User=sub", closing},
		{"jwt-claim-fields", "Authorization=sub", closing},
		{"jwt-claim-fields", "X-Real-IP=sub", closing},
		{"jwt-claim-fields", "Content-Length=sub", closing},
		{"jwt-claim-fields", strings.Repeat("X-User=sub,", maxPairs+1), closing},
		{"jwt-cookie", "token", "token"},
		{"jwt-cookie", "a;b", closing},
		{"jwt-cookie", "", closing},
		{"jwt-forward-token", "false", false},
		{"jwt-forward-token", "no", closing},
		{"jwt-issuer", "https://issuer.test/", "https://issuer.test/"},
		{"jwt-issuer", "", closing},
		{"jwt-issuer", "a\nb", closing},
		{"jwt-leeway", "0", "0s"},
		{"jwt-leeway", "600", (10 * time.Minute).String()},
		{"jwt-leeway", "601", closing},
		{"jwt-leeway", "-1", closing},
		{"jwt-realm", "Staff only", "Staff only"},
		{"jwt-realm", `a"b`, closing},
		{"jwt-required-claims", "groups=admin, https://x.test/a=b=c", "groups=admin,https://x.test/a=b=c"},
		{"jwt-required-claims", "groups", closing},
		{"jwt-required-claims", "groups=", closing},
		{"jwt-required-claims", "=admin", closing},
		{"jwt-audience", "app", closing},
	}...)
}
