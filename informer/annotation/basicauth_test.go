package annotation

import "strings"

func init() {
	examples = append(examples, []example{
		{"auth-realm", "Staff only: a/b", "Staff only: a/b"},
		{"auth-realm", "off", "off"},
		{"auth-realm", `a"b`, closing},
		{"auth-realm", "a\r\nX: y", closing},
		{"auth-realm", "$host", closing},
		{"auth-realm", strings.Repeat("x", maxRealm+1), closing},
		{"auth-secret", "users", "users"},
		{"auth-secret", "shop/users", "shop/users"},
		{"auth-secret", "", closing},
		{"auth-secret", "a/b/c", closing},
		{"auth-secret", "a b", closing},
		{"auth-secret-type", "auth-map", true},
		{"auth-secret-type", "auth-file", false},
		{"auth-secret-type", "auth-list", closing},
		{"auth-type", "basic", true},
		{"auth-type", "digest", closing},
		{"auth-type", "", closing},
		{"satisfy", "any", true},
		{"satisfy", "all", false},
		{"satisfy", "Any", refused},
	}...)
}
