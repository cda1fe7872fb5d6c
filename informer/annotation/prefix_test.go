package annotation

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func init() {
	goodValues[rewriteTarget] = "/inside"
	examples = append(examples, []example{
		{"x-forwarded-prefix", "/app", "/app"},
		{"x-forwarded-prefix", "true", "true"},
		{"x-forwarded-prefix", "/$1", refused},
		{"x-forwarded-prefix", "/a b", refused},
		{"x-forwarded-prefix", "/a\r\nX-Forwarded-For: 1.2.3.4", refused},
		{"x-forwarded-prefix", "/" + strings.Repeat("x", maxURL), refused},
		{"x-forwarded-prefix", "", refused},
	}...)
}

// TestPrefixOfNoRewrite: where the rewrite is refused there is no field either.
func TestPrefixOfNoRewrite(t *testing.T) {
	var rejected []string
	s := Parse(map[string]string{NginxPrefix + rewriteTarget: "no path", NginxPrefix + "x-forwarded-prefix": "/app"}, func(name, _, _ string) { rejected = append(rejected, name) })
	if len(rejected) != 2 || s.Policy.Filter(policy.KindPrefix) != nil {
		t.Errorf("rejected %q, %v", rejected, s.Policy.Filters)
	}
}
