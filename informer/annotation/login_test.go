package annotation

import "strings"

func init() {
	examples = append(examples, []example{
		{"oidc-issuer", "https://login.test/realm", "https://login.test/realm"},
		{"oidc-issuer", "login.test", closing},
		{"oidc-issuer", "", closing},
		{"oidc-issuer", "https://login.test/$host", closing},
		{"oidc-issuer", "https://login.test/" + strings.Repeat("x", maxURL), closing},
		{"oidc-client-id", "app", "app"},
		{"oidc-client-id", "", closing},
		{"oidc-client-id", "a b", closing},
		{"oidc-secret", "login", "login"},
		{"oidc-secret", "shop/login", "shop/login"},
		{"oidc-secret", "a/b/c", closing},
		{"oidc-secret", "", closing},
		{"oidc-scopes", "email, groups", "openid,email,groups"},
		{"oidc-scopes", "openid,email", "openid,email"},
		{"oidc-scopes", "a b", closing},
		{"oidc-callback-path", "/back", "/back"},
		{"oidc-callback-path", "back", closing},
		{"oidc-callback-path", "//evil.test", closing},
		{"oidc-callback-path", "/a/../b", closing},
		{"oidc-logout-path", "/out", "/out"},
		{"oidc-logout-path", "/out?x", closing},
		{"oidc-after-logout", "/bye", "/bye"},
		{"oidc-after-logout", "https://evil.test/", closing},
		{"oidc-after-logout", "//evil.test/", closing},
		{"oidc-session-time", "3600", "1h0m0s"},
		{"oidc-session-time", "0", closing},
		{"oidc-session-time", "99999999", closing},
		{"oidc-forward-token", "true", true},
		{"oidc-forward-token", "on", closing},
		{"oidc-claim-fields", "X-User=email", "X-User=email"},
		{"oidc-claim-fields", "Cookie=email", closing},
		{"oidc-required-claims", "groups=admin", "groups=admin"},
		{"oidc-required-claims", "groups", closing},
		{"oidc-isuer", "https://login.test", closing},
	}...)
}
