package annotation

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// Active health checks.
var _ = add(
	Row{
		Key: "health-check", Scope: ScopeBackend, Value: "off, tcp, http or grpc", Default: "off", OwnOnly: true,
		Set: setCheck,
		Get: func(s *Settings) any { return s.Resilience.Check.Kind },
		Doc: "How the gateway asks each Endpoint of a Backend, from time to time, whether it is well: by a connection, by GET, or by grpc.health.v1.Health/Check; over TLS where the Backend speaks TLS. " +
			"Endpoints that are not are left out, unless all are. Each replica of the gateway asks for itself.",
	},
	Row{
		Key: "health-check-path", Scope: ScopeBackend, Value: "path", Default: "/", OwnOnly: true, Needs: "health-check",
		Set: func(s *Settings, value string) error {
			u, err := url.ParseRequestURI(value)
			if err != nil || u.Host != "" || !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || strings.Contains(value, "#") || len(value) > maxCheckText || !visible(value) {
				return errors.New("want a path, with a query or without; / is used")
			}
			return ofCheck(s, routing.CheckHTTP, func(c *routing.Check) { c.Path = value })
		},
		Get: func(s *Settings) any { return s.Resilience.Check.Path },
		Doc: "What GET asks for.",
	},
	Row{
		Key: "health-check-host", Scope: ScopeBackend, Value: "host, or host:port", Default: "the Endpoint's address", OwnOnly: true, Needs: "health-check",
		Set: func(s *Settings, value string) error {
			if value == "" || len(value) > maxCheckText || strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(".-:", r) }) {
				return errors.New("want a host, or host:port; the Endpoint's address is used")
			}
			return ofCheck(s, routing.CheckHTTP, func(c *routing.Check) { c.Host = value })
		},
		Get: func(s *Settings) any { return s.Resilience.Check.Host },
		Doc: "The Host of GET.",
	},
	Row{
		Key: "health-check-status", Scope: ScopeBackend, Value: "status, or two with a hyphen between them", Default: "200-399", OwnOnly: true, Needs: "health-check",
		Set: func(s *Settings, value string) error {
			first, last, two := strings.Cut(value, "-")
			if !two {
				last = first
			}
			least, err := strconv.Atoi(first)
			most, err2 := strconv.Atoi(last)
			if err != nil || err2 != nil || least < 200 || most > 599 || least > most {
				return errors.New("want a status from 200 to 599, or two such as 200-299; 200-399 is used")
			}
			return ofCheck(s, routing.CheckHTTP, func(c *routing.Check) { c.Least, c.Most = int32(least), int32(most) })
		},
		Get: func(s *Settings) any { return s.Resilience.Check.Least<<16 | s.Resilience.Check.Most },
		Doc: "Statuses of an Endpoint that is well.",
	},
	Row{
		Key: "health-check-service", Scope: ScopeBackend, Value: "name", Default: "the server as a whole", OwnOnly: true, Needs: "health-check",
		Set: func(s *Settings, value string) error {
			if value == "" || len(value) > maxCheckText || !visible(value) {
				return errors.New("want a name; the server as a whole is asked about")
			}
			return ofCheck(s, routing.CheckGRPC, func(c *routing.Check) { c.Service = value })
		},
		Get: func(s *Settings) any { return s.Resilience.Check.Service },
		Doc: "The service that grpc asks about.",
	},
	Row{
		Key: "health-check-interval", Scope: ScopeBackend, Value: "duration, such as 5s", Default: "10s", OwnOnly: true, Needs: "health-check",
		Set: span(time.Second, time.Hour, "10s is used", func(s *Settings) *int64 { return &s.Resilience.Check.Interval }),
		Get: func(s *Settings) any { return s.Resilience.Check.Interval },
		Doc: "Time between two checks of an Endpoint; it varies by a tenth.",
	},
	Row{
		Key: "health-check-timeout", Scope: ScopeBackend, Value: "duration, such as 500ms", Default: "2s", OwnOnly: true, Needs: "health-check",
		Set: span(10*time.Millisecond, time.Minute, "2s is used", func(s *Settings) *int64 { return &s.Resilience.Check.Timeout }),
		Get: func(s *Settings) any { return s.Resilience.Check.Timeout },
		Doc: "For how long a check may take.",
	},
	Row{
		Key: "health-check-rise", Scope: ScopeBackend, Value: "number", Default: "2", OwnOnly: true, Needs: "health-check",
		Set: number(1, 100, "2 is used", func(s *Settings) *int32 { return &s.Resilience.Check.Rise }),
		Get: func(s *Settings) any { return s.Resilience.Check.Rise },
		Doc: "Good checks in a row that make an Endpoint well again.",
	},
	Row{
		Key: "health-check-fall", Scope: ScopeBackend, Value: "number", Default: "3", OwnOnly: true, Needs: "health-check",
		Set: number(1, 100, "3 is used", func(s *Settings) *int32 { return &s.Resilience.Check.Fall }),
		Get: func(s *Settings) any { return s.Resilience.Check.Fall },
		Doc: "Bad checks in a row that make an Endpoint unwell. A new one is taken to be well.",
	},
)

// maxCheckText bounds the texts of a Check.
const maxCheckText = 256

func setCheck(s *Settings, value string) error {
	for k := routing.NoCheck; k <= routing.CheckGRPC; k++ {
		if value != k.String() {
			continue
		}
		c := routing.Check{Kind: k, Interval: int64(10 * time.Second), Timeout: int64(2 * time.Second), Rise: 2, Fall: 3}
		switch k {
		case routing.NoCheck:
			c = routing.Check{}
		case routing.CheckHTTP:
			c.Path, c.Least, c.Most = "/", 200, 399
		}
		s.Resilience.Check = c
		return nil
	}
	return errors.New("want off, tcp, http or grpc; Endpoints are not checked")
}

// ofCheck applies set where the check is of a kind.
func ofCheck(s *Settings, kind routing.CheckKind, set func(*routing.Check)) error {
	if s.Resilience.Check.Kind != kind {
		return errors.New("it has no effect without health-check " + kind.String())
	}
	set(&s.Resilience.Check)
	return nil
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
