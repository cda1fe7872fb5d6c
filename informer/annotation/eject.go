package annotation

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// How Endpoints that fail are left out.
var _ = add(
	Row{
		Key: "eject-after", Scope: ScopeBackend, Value: "number of failures, or off", Default: "3", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			if value == "off" {
				s.Resilience.Eject.Failures = -1
				return nil
			}
			return number(1, 1000, "3 is used", func(s *Settings) *int32 { return &s.Resilience.Eject.Failures })(s, value)
		},
		Get: func(s *Settings) any { return s.Resilience.Eject.Failures },
		Doc: "How many failures in a row have an Endpoint left out for a while; then one request tries it. Each event loop judges by its own requests.",
	},
	Row{
		Key: "eject-on-server-error", Scope: ScopeBackend, Value: "true or false", Default: "false", OwnOnly: true,
		Set: boolean(func(s *Settings) *bool { return &s.Resilience.Eject.ServerErrors }),
		Get: func(s *Settings) any { return s.Resilience.Eject.ServerErrors },
		Doc: "Whether answers of 500, 502, 503 and 504 are failures, for eject-after and for breaker-percent. A client that can provoke such answers can have Endpoints left out.",
	},
	Row{
		Key: "eject-percent", Scope: ScopeBackend, Value: "number from 1 to 99", Default: "50", OwnOnly: true,
		Set: number(1, 99, "50 is used", func(s *Settings) *int32 { return &s.Resilience.Eject.Percent }),
		Get: func(s *Settings) any { return s.Resilience.Eject.Percent },
		Doc: "Largest part of a Backend's Endpoints that is left out. The last one never is.",
	},
	Row{
		Key: "eject-time", Scope: ScopeBackend, Value: "duration, such as 5s", Default: "1s", OwnOnly: true,
		Set: span(10*time.Millisecond, time.Hour, "1s is used", func(s *Settings) *int64 { return &s.Resilience.Eject.Base }),
		Get: func(s *Settings) any { return s.Resilience.Eject.Base },
		Doc: "For how long an Endpoint is left out at first. Each time that it fails again doubles it.",
	},
	Row{
		Key: "eject-time-max", Scope: ScopeBackend, Value: "duration, such as 5m", Default: "60s", OwnOnly: true,
		Set: span(10*time.Millisecond, time.Hour, "60s is used", func(s *Settings) *int64 { return &s.Resilience.Eject.Max }),
		Get: func(s *Settings) any { return s.Resilience.Eject.Max },
		Doc: "For how long an Endpoint is left out at most.",
	},
	Row{
		Key: "slow-start", Scope: ScopeBackend, Value: "duration, such as 30s", Default: "none", OwnOnly: true,
		Set: span(10*time.Millisecond, time.Hour, "there is none", func(s *Settings) *int64 { return &s.Resilience.SlowStart }),
		Get: func(s *Settings) any { return s.Resilience.SlowStart },
		Doc: "Time in which an Endpoint that comes to a Backend with others, or is back, grows from a tenth of its part of the load to all of it.",
	},
	Row{
		Key: "retry-budget", Scope: ScopeBackend, Value: "number from 0 to 100", Default: "20", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			if value == "0" {
				s.Resilience.RetryPercent = -1
				return nil
			}
			return number(1, 100, "20 is used", func(s *Settings) *int32 { return &s.Resilience.RetryPercent })(s, value)
		},
		Get: func(s *Settings) any { return s.Resilience.RetryPercent },
		Doc: "How many of a hundred requests a Backend may be sent again, over ten seconds, beside a reserve of 100 for each event loop. Requests that were not sent, and those that met the end of an idle connection, count for none. With 0 there is no reserve.",
	},
)

// How a Backend that fails is spared.
var _ = add(
	Row{
		Key: "breaker-percent", Scope: ScopeBackend, Value: "number from 1 to 100", Default: "none", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			b := &s.Resilience.Breaker
			if err := number(1, 100, "there is no breaker", func(*Settings) *int32 { return &b.Percent })(s, value); err != nil {
				return err
			}
			*b = routing.Breaker{Percent: b.Percent, Requests: 20, Base: int64(time.Second), Max: int64(time.Minute)}
			return nil
		},
		Get: func(s *Settings) any { return s.Resilience.Breaker.Percent },
		Doc: "Part of the attempts of about ten seconds that fail and open the breaker of a Backend: requests are then answered 503 at once, with Retry-After, until one that is let through is answered. Each event loop judges by its own requests.",
	},
	Row{
		Key: "breaker-requests", Scope: ScopeBackend, Value: "number", Default: "20", OwnOnly: true, Needs: "breaker-percent",
		Set: number(1, 1_000_000, "20 is used", func(s *Settings) *int32 { return &s.Resilience.Breaker.Requests }),
		Get: func(s *Settings) any { return s.Resilience.Breaker.Requests },
		Doc: "Least number of attempts that the breaker judges by.",
	},
	Row{
		Key: "breaker-time", Scope: ScopeBackend, Value: "duration, such as 5s", Default: "1s", OwnOnly: true, Needs: "breaker-percent",
		Set: span(10*time.Millisecond, time.Hour, "1s is used", func(s *Settings) *int64 { return &s.Resilience.Breaker.Base }),
		Get: func(s *Settings) any { return s.Resilience.Breaker.Base },
		Doc: "For how long the breaker is open at first. Each time that it opens again without an answer doubles it, up to a minute.",
	},
)

// How many requests a Backend is sent at a time.
var _ = add(
	Row{
		Key: "max-requests", Scope: ScopeBackend, Value: "number", Default: "unlimited", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			l := &s.Resilience.Load
			if err := number(1, 1_000_000, "there is no bound", func(*Settings) *int32 { return &l.Requests })(s, value); err != nil {
				return err
			}
			*l = routing.Load{Requests: l.Requests, Waiting: l.Requests, Wait: int64(5 * time.Second)}
			return nil
		},
		Get: func(s *Settings) any { return s.Resilience.Load.Requests },
		Doc: "Most requests in flight at a Backend, tunnels and streams included, of each replica of the gateway. More wait in the order in which they came.",
	},
	Row{
		Key: "max-waiting", Scope: ScopeBackend, Value: "number", Default: "as many as max-requests", OwnOnly: true, Needs: "max-requests",
		Set: number(0, 100_000, "it is as many as max-requests", func(s *Settings) *int32 { return &s.Resilience.Load.Waiting }),
		Get: func(s *Settings) any { return s.Resilience.Load.Waiting },
		Doc: "Most requests that wait for max-requests; more are answered 503, with Retry-After.",
	},
	Row{
		Key: "max-wait", Scope: ScopeBackend, Value: "duration, such as 500ms", Default: "5s", OwnOnly: true, Needs: "max-requests",
		Set: span(time.Millisecond, time.Hour, "5s is used", func(s *Settings) *int64 { return &s.Resilience.Load.Wait }),
		Get: func(s *Settings) any { return s.Resilience.Load.Wait },
		Doc: "For how long a request waits for max-requests; then it is answered 503, with Retry-After.",
	},
)

// number makes the Set of a Row whose values are numbers; otherwise says what holds where one is refused.
func number(least, most int32, otherwise string, field func(*Settings) *int32) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || int32(n) < least || int32(n) > most {
			return fmt.Errorf("want a number from %d to %d; %s", least, most, otherwise)
		}
		*field(s) = int32(n)
		return nil
	}
}

// span is number for durations.
func span(least, most time.Duration, otherwise string, field func(*Settings) *int64) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < least || d > most {
			return errors.New("want a duration from " + least.String() + " to " + most.String() + ", such as 5s; " + otherwise)
		}
		*field(s) = int64(d)
		return nil
	}
}
