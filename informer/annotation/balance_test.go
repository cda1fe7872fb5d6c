package annotation

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func init() {
	examples = append(examples, []example{
		{"load-balance", "ewma", routing.EWMA},
		{"load-balance", " least_conn ", routing.LeastConnections},
		{"load-balance", "", refused},
		{"load-balance", "chash", refused},
		{"load-balance", "EWMA", refusedAs(routing.RoundRobin)},
		{"upstream-hash-by", "$request_uri", "$request_uri"},
		{"upstream-hash-by", "${http_x_user}-$cookie_sid$host", "${http_x_user}-$cookie_sid$host"},
		{"upstream-hash-by", "fixed", "fixed"},
		{"upstream-hash-by", "", refused},
		{"upstream-hash-by", "$nothing", refused},
		{"upstream-hash-by", "$request_uri;", refusedAs("")},
		{"upstream-hash-by", "$host\r\n", "$host"},
		{"upstream-hash-by", "$host\r\nX", refusedAs("")},
		{"upstream-hash-by", strings.Repeat("a", maxHash+1), refused},
		{"upstream-hash-by-subset", "true", 3},
		{"upstream-hash-by-subset", "false", 0},
		{"upstream-hash-by-subset", "yes", refusedAs(0)},
		{"upstream-hash-by-subset-size", "2", 0}, // without a subset
		{"upstream-hash-by-subset-size", "0", refused},
		{"upstream-hash-by-subset-size", "65", refused},
		{"upstream-hash-by-subset-size", "many", refusedAs(0)},
		{"service-upstream", "true", Yes},
		{"service-upstream", "false", No},
		{"service-upstream", "on", refusedAs(No)},
	}...)
	goodValues[hashBy] = "$host"
}

// TestSubset: the size of a subset counts where there are subsets, whatever the order in which annotations are read.
func TestSubset(t *testing.T) {
	for size, want := range map[string]int{"": 3, "1": 1, "2": 2, "64": 64, "-1": 3, "100": 3} {
		all := map[string]string{OwnPrefix + hashBy: "$host", OwnPrefix + "upstream-hash-by-subset": "true"}
		if size != "" {
			all[OwnPrefix+"upstream-hash-by-subset-size"] = size
		}
		s := Parse(all, func(_, _, _ string) {})
		if got := find("upstream-hash-by-subset", true).Get(&s); got != want {
			t.Errorf("size %q: got %v, want %d", size, got, want)
		}
	}
}
