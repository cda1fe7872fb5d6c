package annotation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func init() {
	examples = append(examples, []example{
		{"server-alias", "b.test, A.test,,b.test", "a.test b.test"},
		{"server-alias", "*.a.test", "*.a.test"},
		{"server-alias", `~^a\d+\.test$`, refused},
		{"server-alias", `a.test,~^a\.test$`, refusedAs("a.test")},
		{"server-alias", "a;b.test", refused},
		{"server-alias", "a.test\r\nb.test", refused},
		{"server-alias", "10.0.0.1", refused},
		{"server-alias", "a.*.test", refused},
		{"server-alias", "*", refused},
		{"server-alias", "", refused},
		{"server-alias", "a.test:80", refused},
	}...)
}

func TestAliasesAreBounded(t *testing.T) {
	var list []string
	for i := range 2 * maxAliases {
		list = append(list, fmt.Sprintf("n%d.test", i))
	}
	var reasons []string
	s := Parse(map[string]string{OwnPrefix + "server-alias": strings.Join(list, ",")}, func(_, _, reason string) { reasons = append(reasons, reason) })
	if len(s.Aliases) != maxAliases || !slices.IsSorted(s.Aliases) || len(reasons) != 1 || len(reasons[0]) > 800 {
		t.Errorf("%d names, %q", len(s.Aliases), reasons)
	}
}
