package annotation

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func init() {
	examples = append(examples, []example{
		{"hsts", "true", Yes},
		{"hsts", "0", No},
		{"hsts", "on", refused},
		{"hsts-max-age", "0", 0},
		{"hsts-max-age", "2147483647", 2147483647},
		{"hsts-max-age", "2147483648", refused},
		{"hsts-max-age", "-1", refused},
		{"hsts-max-age", "1y", refused},
		{"hsts-max-age", "1\r\nX: y", refused},
		{"hsts-include-subdomains", "false", false},
		{"hsts-include-subdomains", "no", refused},
		{"hsts-preload", "true", true},
		{"hsts-preload", "yes", refused},
	}...)
}

func TestTransportField(t *testing.T) {
	for _, row := range []struct {
		annotations    map[string]string
		own, takenOver string
	}{
		{nil, "", ""},
		{map[string]string{"hsts": "true"}, policy.DefaultTransport, policy.DefaultTransport},
		{map[string]string{"hsts": "false", "hsts-max-age": "5"}, policy.NoTransport, policy.NoTransport},
		{map[string]string{"hsts-max-age": "5"}, "", "max-age=5; includeSubDomains"},
		{map[string]string{"hsts": "true", "hsts-include-subdomains": "false", "hsts-preload": "true"}, "max-age=31536000; preload", "max-age=31536000; preload"},
	} {
		all := make(map[string]string)
		for key, value := range row.annotations {
			all[OwnPrefix+key] = value
		}
		s := Parse(all, func(name, _, reason string) { t.Error(name, reason) })
		if own, takenOver := s.Transport.Field(false), s.Transport.Field(true); own != row.own || takenOver != row.takenOver {
			t.Errorf("%v: got %q and %q", row.annotations, own, takenOver)
		}
	}
}
