package annotation

import "strings"

func init() {
	examples = append(examples, []example{
		{"rewrite-target", "/", "/"},
		{"rewrite-target", "/a/b-._~:c", "/a/b-._~:c"},
		{"rewrite-target", "/$1", "/$1"},
		{"rewrite-target", "$1", "$1"},
		{"rewrite-target", "/a/$1$2/$name_x.$9", "/a/$1$2/$name_x.$9"},
		{"rewrite-target", "https://a.test/$1", "https://a.test/$1"},
		{"rewrite-target", "$scheme://a.test/", "$scheme://a.test/"},
		{"rewrite-target", "/$", closing},
		{"rewrite-target", "/$0", closing},
		{"rewrite-target", "/$$1", closing},
		{"rewrite-target", "/${1}", refused},
		{"rewrite-target", "/$/", closing},
		{"rewrite-target", "/" + strings.Repeat("a", maxTarget), refused},
		{"use-regex", "true", true},
		{"use-regex", "false", false},
		{"use-regex", "yes", refused},
		{"use-regex", "on", refused},
		{"use-regex", "", refused},
		{"rewrite-target", "/x?y=1", refused},
		{"rewrite-target", "/x;y", refused},
		{"rewrite-target", "/x y", refused},
		{"rewrite-target", "/x\r\n", refused},
		{"rewrite-target", "/é", refused},
		{"rewrite-target", "x", refused},
		{"rewrite-target", "", refused},
	}...)
}
