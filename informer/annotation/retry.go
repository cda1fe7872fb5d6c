package annotation

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Sending requests again. An object that is taken over from ingress-nginx has NginxRetry where its annotations say nothing.
var _ = add(
	Row{
		Key: "proxy-next-upstream", Scope: ScopeRoute, Value: "error, timeout, invalid_header, http_403, http_404, http_429, http_500, http_502, http_503, http_504, non_idempotent, off",
		Default: "error, and what timed out before it was sent; for objects taken over from ingress-nginx error timeout",
		Set: func(s *Settings, value string) error {
			on, err := policy.ParseRetryOn(value)
			if err != nil {
				return fmt.Errorf("%w; the default is used", err)
			}
			s.Policy.Retry.On = on
			return nil
		},
		Get: func(s *Settings) any { return s.Policy.Retry.On },
		Doc: "When a request is sent again, words with spaces between them; another Endpoint gets it where one is ready. " +
			"Requests are sent again that were not sent yet, and those of idempotent methods (with non_idempotent, of all) of which all that was sent is held: " +
			"what came with the head, and 64 KiB of what comes behind it. " +
			"Of what is sent again there is at most a part of what is sent first, see retry-budget. Nothing is sent again behind an interim response.",
	},
	Row{
		Key: "proxy-next-upstream-tries", Scope: ScopeRoute, Value: "number", Default: "the gateway's; 3 for objects taken over from ingress-nginx",
		Set: func(s *Settings, value string) error {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil || n < 0 {
				return fmt.Errorf("want a number from 0 on; the default is used")
			}
			if s.Policy.Retry.Tries = int32(n); n == 0 {
				s.Policy.Retry.Tries = -1
			}
			return nil
		},
		Get: func(s *Settings) any { return s.Policy.Retry.Tries },
		Doc: fmt.Sprintf("Most attempts of a request, the first included. 0, and all numbers above it, mean %d.", policy.Most),
	},
	Row{
		Key: "proxy-next-upstream-timeout", Scope: ScopeRoute, Value: "seconds", Default: "none",
		Set: func(s *Settings, value string) error {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 || n > int64(maxTimeout/time.Second) {
				return fmt.Errorf("want whole seconds from 0 to %d; there is no bound", int64(maxTimeout/time.Second))
			}
			s.Policy.Retry.Timeout = n * int64(time.Second)
			return nil
		},
		Get: func(s *Settings) any { return s.Policy.Retry.Timeout },
		Doc: "Time from the first attempt on in which another may begin. 0 = no bound.",
	},
)

// NginxRetry completes r for an object that is taken over from ingress-nginx.
func NginxRetry(r policy.Retry) policy.Retry {
	if r.On == 0 {
		r.On = policy.RetryError | policy.RetryTimeout
	}
	if r.Tries == 0 {
		r.Tries = 3
	}
	return r
}
