package annotation

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func init() {
	goodValues["health-check"], goodValues["health-check of health-check-service"] = "http", "grpc"
	examples = append(examples, []example{
		{"health-check", "tcp", routing.CheckTCP},
		{"health-check", "http", routing.CheckHTTP},
		{"health-check", "grpc", routing.CheckGRPC},
		{"health-check", "off", routing.NoCheck},
		{"health-check", "true", refused},
		{"health-check", "HTTP", refused},
		{"health-check-path", "/health?deep=1", "/health?deep=1"},
		{"health-check-path", "/a%20b", "/a%20b"},
		{"health-check-path", "health", refused},
		{"health-check-path", "/a b", refused},
		{"health-check-path", "/a\r\nX: y", refused},
		{"health-check-path", "http://169.254.169.254/", refused},
		{"health-check-path", "//169.254.169.254/", refused},
		{"health-check-service", "shop.v1.Cart", "shop.v1.Cart"},
		{"health-check-service", "a b", refused},
		{"health-check-path", "/" + strings.Repeat("a", maxCheckText), refused},
		{"health-check-host", "inner.test:8080", "inner.test:8080"},
		{"health-check-host", "a b", refused},
		{"health-check-host", "", refused},
		{"health-check-status", "204", int32(204<<16 | 204)},
		{"health-check-status", "200-299", int32(200<<16 | 299)},
		{"health-check-status", "299-200", refused},
		{"health-check-status", "100", refused},
		{"health-check-status", "200-", refused},
		{"health-check-interval", "1s", int64(1e9)},
		{"health-check-interval", "10ms", refused},
		{"health-check-timeout", "500ms", int64(500e6)},
		{"health-check-timeout", "1h", refused},
		{"health-check-rise", "1", int32(1)},
		{"health-check-rise", "0", refused},
		{"health-check-fall", "5", int32(5)},
		{"health-check-fall", "101", refused},
	}...)
}

// TestCheckKinds: what belongs to another kind of check has no effect, and says so.
func TestCheckKinds(t *testing.T) {
	for kind, want := range map[string]int{"http": 1, "grpc": 3, "tcp": 4, "off": 4} {
		refusals := 0
		s := Parse(map[string]string{
			OwnPrefix + "health-check": kind, OwnPrefix + "health-check-path": "/a", OwnPrefix + "health-check-host": "b",
			OwnPrefix + "health-check-status": "204", OwnPrefix + "health-check-service": "c",
		}, func(_, _, _ string) { refusals++ })
		if refusals != want || (s.Resilience.Check.Service != "") != (kind == "grpc") || (s.Resilience.Check.Host != "") != (kind == "http") {
			t.Errorf("%s: %d refusals, %+v", kind, refusals, s.Resilience.Check)
		}
	}
}
