package annotation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

var _ = add(
	Row{
		Key: "proxy-body-size", Scope: ScopeRoute, Value: "bytes, with b, k, m or g", Default: "the gateway's",
		Set: setBodySize,
		Get: func(s *Settings) any { return s.Policy.Limits.BodyBytes },
		Doc: "Largest request body; larger ones are answered 413. 0 = unlimited. " +
			"All that a gRPC client sends on one stream is one body, and beyond it RESOURCE_EXHAUSTED.",
	},
	Row{
		Key: "proxy-connect-timeout", Scope: ScopeRoute, Value: "seconds", Default: "the gateway's",
		Set: seconds(func(l *policy.Limits) *int64 { return &l.Connect }),
		Get: func(s *Settings) any { return s.Policy.Limits.Connect },
		Doc: "Longest wait for a connection to an Endpoint.",
	},
	Row{
		Key: "proxy-read-timeout", Scope: ScopeRoute, Value: "seconds", Default: "the gateway's",
		Set: seconds(func(l *policy.Limits) *int64 { return &l.Read }),
		Get: func(s *Settings) any { return s.Policy.Limits.Read },
		Doc: "Longest wait between two reads from an Endpoint.",
	},
	Row{
		Key: "proxy-send-timeout", Scope: ScopeRoute, Value: "seconds", Default: "the gateway's",
		Set: seconds(func(l *policy.Limits) *int64 { return &l.Send }),
		Get: func(s *Settings) any { return s.Policy.Limits.Send },
		Doc: "Longest wait between two writes to an Endpoint.",
	},
	Row{
		Key: "request-timeout", Scope: ScopeRoute, Value: "duration, such as 30s", Default: "none", OwnOnly: true,
		Set: setRequestTimeout,
		Get: func(s *Settings) any { return s.Policy.Limits.Request },
		Doc: "Longest time for a whole exchange.",
	},
)

func setBodySize(s *Settings, value string) error {
	digits := strings.TrimRight(value, "bBkKmMgG")
	shift := 0
	switch strings.ToLower(value[len(digits):]) {
	case "", "b":
	case "k":
		shift = 10
	case "m":
		shift = 20
	case "g":
		shift = 30
	default:
		digits = ""
	}
	n, err := strconv.ParseUint(digits, 10, 63-shift)
	if err != nil {
		return errors.New("want digits and optionally b, k, m or g; the gateway's default is used")
	}
	if s.Policy.Limits.BodyBytes = int64(n << shift); n == 0 {
		s.Policy.Limits.BodyBytes = -1
	}
	return nil
}

// maxTimeout keeps nanoseconds far from overflow, and timer wheels small.
const maxTimeout = 366 * 24 * time.Hour

func seconds(field func(*policy.Limits) *int64) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 || n > int64(maxTimeout/time.Second) {
			return fmt.Errorf("want whole seconds from 1 to %d; the gateway's default is used", int64(maxTimeout/time.Second))
		}
		*field(&s.Policy.Limits) = n * int64(time.Second)
		return nil
	}
}

func setRequestTimeout(s *Settings, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Millisecond || d > maxTimeout {
		return errors.New("want a duration of at least 1ms, such as 30s or 2m; no limit is set")
	}
	s.Policy.Limits.Request = int64(d)
	return nil
}
