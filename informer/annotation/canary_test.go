package annotation

import "strings"

func init() {
	examples = append(examples, []example{
		{"canary", "true", true},
		{"canary", "1", true},
		{"canary", "yes", refused},
		{"canary-by-header", "X-Canary", "X-Canary"},
		{"canary-by-header", " X_C ", "X_C"},
		{"canary-by-header", "", refused},
		{"canary-by-header", "X-C;", refused},
		{"canary-by-header", "X-C\r\nX: y", refused},
		{"canary-by-header", strings.Repeat("a", maxCanaryText+1), refused},
		{"canary-by-header-value", "gold/1", "gold/1"},
		{"canary-by-header-value", "a\"b", refused},
		{"canary-by-header-pattern", "^(de|fr)$", [...]any{"^(de|fr)$", false}},
		{"canary-by-header-pattern", "[a-", refusedAs([...]any{"[a-", true})},
		{"canary-by-header-pattern", "(?=a)b", refusedAs([...]any{"(?=a)b", true})},
		{"canary-by-header-pattern", "(a{30}){30}", refusedAs([...]any{"(a{30}){30}", true})},
		{"canary-by-header-pattern", "a b", refused},
		{"canary-by-header-pattern", "", refused},
		{"canary-by-cookie", "beta", "beta"},
		{"canary-by-cookie", "be;ta", refused},
		{"canary-weight", "0", 0},
		{"canary-weight", "150", 150},
		{"canary-weight", "-5", refusedAs(-1)},
		{"canary-weight", "half", refused},
		{"canary-weight", "9223372036854775807", maxTotal},
		{"canary-weight", "9223372036854775808", refused},
		{"canary-weight-total", "1000", 1000},
		{"canary-weight-total", "50", refused},
		{"canary-weight-total", "1073741825", refused},
		{"canary-weight-total", "many", refused},
	}...)
}
