package annotation

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Limit holds the annotations limit-* and cluster-limit-*. The Zone of its limits is the object's name, which is not known here.
type Limit struct {
	// Of one client, 0 for no limit: requests a second and a minute, here and of all gateways, and requests under way.
	PerSecond, PerMinute               int
	ClusterPerSecond, ClusterPerMinute int
	Connections                        int
	// Concurrency bounds the requests under way on each Route; 0: no limit.
	Concurrency int

	// Of all of them:

	Multiplier  int
	Exempt      []netip.Prefix
	Status      int
	Fields      bool
	Unavailable policy.Unavailable

	// Rate is how many KiB of a response a client is sent a second, once it has had RateAfter KiB; 0: as many as it takes.
	Rate, RateAfter int64
}

var defaultLimit = Limit{Multiplier: 5, Status: 503, Unavailable: policy.CountAlone}

const (
	limitAllowlist = "limit-allowlist"
	// maxLimit bounds the numbers: more is nothing that a client or a gateway could do.
	maxLimit = 1_000_000_000
)

var _ = add(
	Row{
		Key: "limit-rps", Scope: ScopeRoute, Value: "requests", Default: "no limit",
		Set: limit(func(l *Limit) *int { return &l.PerSecond }),
		Get: func(s *Settings) any { return s.Limit.PerSecond },
		Doc: "How many requests a second one client may send; others are answered 503 (limit-status-code). A leaky bucket, as nginx has it: " +
			"a client that was quiet may send one and limit-burst-multiplier times the rate at once. " +
			"All paths and hosts of the object count together, and a change of the object forgets nothing. " +
			"Redirects and CORS preflights are not counted; what is refused for an address or a password is. " +
			"A client is an IPv4 address or an IPv6 /64, found as for allowlist-source-range. " +
			"Each gateway counts by itself: so many times the rate pass in all as there are gateways; see cluster-limit-rps. " +
			"0 or less is no limit. What is no number: the Routes of the object answer 503.",
	},
	Row{
		Key: "limit-rpm", Scope: ScopeRoute, Value: "requests", Default: "no limit",
		Set: limit(func(l *Limit) *int { return &l.PerMinute }),
		Get: func(s *Settings) any { return s.Limit.PerMinute },
		Doc: "The same for a minute. Beside limit-rps both hold. Thousandths of a request a second are counted, rounded down, as in nginx: 1 is 0.016 a second.",
	},
	Row{
		Key: "limit-connections", Scope: ScopeRoute, Value: "requests", Default: "no limit",
		Set: limit(func(l *Limit) *int { return &l.Connections }),
		Get: func(s *Settings) any { return s.Limit.Connections },
		Doc: "How many requests of one client may be under way at once; others are answered 503 (limit-status-code). " +
			"Each stream of HTTP/2, and each WebSocket, counts as one. Clients and objects are counted as for limit-rps, but for the burst.",
	},
	Row{
		Key: "limit-concurrency", Scope: ScopeRoute, Value: "requests", Default: "no limit", OwnOnly: true,
		Set: limit(func(l *Limit) *int { return &l.Concurrency }),
		Get: func(s *Settings) any { return s.Limit.Concurrency },
		Doc: "How many requests may be under way at once on each path of the object, whoever sends them; others are answered 503 (limit-status-code). " +
			"Each gateway counts by itself.",
	},
	Row{
		Key: "cluster-limit-rps", Scope: ScopeRoute, Value: "requests", Default: "no limit", OwnOnly: true,
		Set: limit(func(l *Limit) *int { return &l.ClusterPerSecond }),
		Get: func(s *Settings) any { return s.Limit.ClusterPerSecond },
		Doc: "As limit-rps, but all gateways count together, in the server that redis.address names. Each request waits for its answer, at most redis.timeout, " +
			"unless the client is known to be over its limit. Other limits of the object are looked at before.",
	},
	Row{
		Key: "cluster-limit-rpm", Scope: ScopeRoute, Value: "requests", Default: "no limit", OwnOnly: true,
		Set: limit(func(l *Limit) *int { return &l.ClusterPerMinute }),
		Get: func(s *Settings) any { return s.Limit.ClusterPerMinute },
		Doc: "The same for a minute.",
	},
	Row{
		Key: "cluster-limit-unavailable", Scope: ScopeRoute, Value: "local, open or closed", Default: "local", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			switch u := policy.Unavailable(value); u {
			case policy.CountAlone, policy.PassAll, policy.RefuseAll:
				s.Limit.Unavailable = u
				return nil
			}
			return errors.New("want local, open or closed; local is used")
		},
		Get: func(s *Settings) any { return s.Limit.Unavailable },
		Doc: "What becomes of requests with such a limit while there is no answer: local, each gateway counts by itself; open, they pass; closed, they are answered 503. " +
			"There is none where redis.address is empty or does not answer in time, and where too many requests wait already.",
	},
	Row{
		Key: "limit-burst-multiplier", Scope: ScopeRoute, Value: "a number", Default: "5",
		Set: func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return errors.New("want a number of at least 0; 5 is used")
			}
			s.Limit.Multiplier = min(n, maxLimit)
			return nil
		},
		Get: func(s *Settings) any { return s.Limit.Multiplier },
		Doc: "How many times the rate may come at once, of limit-rps, limit-rpm and those of the cluster; four million requests at most. 0 is no burst.",
	},
	Row{
		Key: limitAllowlist, Scope: ScopeRoute, Value: ranges, Default: "nobody",
		Set: setExempt,
		Get: func(s *Settings) any { return fmt.Sprint(s.Limit.Exempt) },
		Doc: "Clients that limit-rps, limit-rpm, limit-connections and the limits of the cluster do not count. " +
			"A list of which a part does not parse: the Routes of the object answer 503.",
	},
	Row{
		Key: "limit-whitelist", Scope: ScopeRoute, Value: ranges, Default: "nobody", Unless: limitAllowlist,
		Set: setExempt,
		Get: func(s *Settings) any { return fmt.Sprint(s.Limit.Exempt) },
		Doc: "The old name of " + limitAllowlist + ", which counts where both are.",
	},
	Row{
		Key: "limit-rate", Scope: ScopeRoute, Value: "KiB a second", Default: "as fast as the client takes it",
		Set: kibibytes(func(l *Limit) *int64 { return &l.Rate }),
		Get: func(s *Settings) any { return s.Limit.Rate },
		Doc: "How fast each response goes to its client, as limit_rate of nginx: a second's worth may go at once, and the time that the Backend takes to answer counts. " +
			"Of two requests at once each has the rate. 0 is no limit.",
	},
	Row{
		Key: "limit-rate-after", Scope: ScopeRoute, Value: "KiB", Default: "0", Needs: "limit-rate",
		Set: kibibytes(func(l *Limit) *int64 { return &l.RateAfter }),
		Get: func(s *Settings) any { return s.Limit.RateAfter },
		Doc: "How much of each response limit-rate does not slow down.",
	},
	Row{
		Key: "limit-status-code", Scope: ScopeRoute, Value: "status", Default: "503", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < 400 || n > 599 {
				return errors.New("want a status from 400 to 599, such as 429; 503 is used")
			}
			s.Limit.Status = n
			return nil
		},
		Get: func(s *Settings) any { return s.Limit.Status },
		Doc: "What clients are answered that are beyond a limit.",
	},
	Row{
		Key: "limit-response-fields", Scope: ScopeRoute, Value: "true or false", Default: "false", OwnOnly: true,
		Set: boolean(func(s *Settings) *bool { return &s.Limit.Fields }),
		Get: func(s *Settings) any { return s.Limit.Fields },
		Doc: "Tells clients of their limits of rate, as draft-ietf-httpapi-ratelimit-headers has it: RateLimit-Policy with the rate, " +
			"RateLimit with the requests that may still come at once and the seconds until all may, and Retry-After in refusals. " +
			"Where there are several limits, of the one of which least is left.",
	},
)

// limit makes the Set of a Row whose values are numbers of requests. What is no number closes the object: a limit is meant.
func limit(field func(*Limit) *int) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.Atoi(value)
		switch {
		case value == "":
			return errors.New("want a number; there is no limit")
		case err != nil:
			return s.close("the limit is no number; every path of the object answers 503 rather than being without one")
		case n < 0:
			return errors.New("want a number of at least 1, or 0 for no limit; there is none")
		}
		*field(&s.Limit) = min(n, maxLimit)
		return nil
	}
}

// kibibytes makes the Set of a Row whose values are numbers of KiB.
func kibibytes(field func(*Limit) *int64) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("want a number of KiB, or 0; responses go as fast as clients take them")
		}
		*field(&s.Limit) = int64(min(n, maxLimit))
		return nil
	}
}

func setExempt(s *Settings, value string) error {
	if value == "" {
		return errors.New("want addresses or CIDRs; everybody is counted")
	}
	list, err := parseRanges(value)
	if err != nil {
		return fmt.Errorf("%w: %w", err, s.close("who is not to be limited cannot be read; every path of the object answers 503"))
	}
	s.Limit.Exempt = list
	return nil
}
