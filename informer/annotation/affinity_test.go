package annotation

import "strings"

func init() {
	examples = append(examples, []example{
		{"affinity", "cookie", true},
		{"affinity", "Cookie", refused},
		{"affinity", "ip", refused},
		{"affinity", "", refused},
		{"affinity-canary-behavior", "legacy", true},
		{"affinity-canary-behavior", "sticky", false},
		{"affinity-canary-behavior", "loose", refused},
		{"affinity-mode", "persistent", true},
		{"affinity-mode", "balanced", false},
		{"affinity-mode", "Persistent", refused},
		{"session-cookie-name", "SESS.a-b~d", "SESS.a-b~d"},
		{"session-cookie-name", "a b", refused},
		{"session-cookie-name", "SESS", "SESS"},
		{"session-cookie-name", "a=b", refused},
		{"session-cookie-name", "a; Secure", refused},
		{"session-cookie-name", "a\r\nX: y", refused},
		{"session-cookie-name", "", refused},
		{"session-cookie-name", strings.Repeat("a", 257), refused},
		{"session-cookie-path", "/shop", "/shop"},
		{"session-cookie-path", "/a; Domain=evil.test", refused},
		{"session-cookie-path", "/a b", refused},
		{"session-cookie-domain", ".a.test", ".a.test"},
		{"session-cookie-domain", "a.test; Secure", refused},
		{"session-cookie-samesite", "Lax", "Lax"},
		{"session-cookie-samesite", "lax", refused},
		{"session-cookie-samesite", "Sometimes", refused},
		{"session-cookie-conditional-samesite-none", "true", true},
		{"session-cookie-conditional-samesite-none", "yes", refused},
		{"session-cookie-secure", "true", true},
		{"session-cookie-secure", "on", refused},
		{"session-cookie-max-age", "600", "600"},
		{"session-cookie-max-age", "-1", "-1"},
		{"session-cookie-max-age", "0", "0"},
		{"session-cookie-max-age", "ten", refused},
		{"session-cookie-max-age", "10; Secure", refused},
		{"session-cookie-max-age", "99999999999", refused},
		{"session-cookie-expires", "3600", "3600"},
		{"session-cookie-expires", "1h", refused},
		{"session-cookie-change-on-failure", "true", true},
		{"session-cookie-change-on-failure", "", refused},
	}...)
	goodValues["affinity"] = "cookie"
}
