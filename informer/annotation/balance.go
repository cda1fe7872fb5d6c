package annotation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

const hashBy = "upstream-hash-by"

var _ = add(
	Row{
		Key: "load-balance", Scope: ScopeBackend, Value: "round_robin, ewma or least_conn", Default: "round_robin",
		Set: setBalance,
		Get: func(s *Settings) any { return s.Balance },
		Doc: "How a Backend's Endpoint is picked. Of objects that are taken over from ingress-nginx the oldest that uses a Service and port decides for all of them, " +
			"about upstream-hash-by and service-upstream too. ingress-nginx has no least_conn, and does not load an object with a value that it does not have: " +
			"the Routes of objects that are taken over from there answer 503 with one, and with least_conn under its prefix.",
	},
	Row{
		Key: hashBy, Scope: ScopeBackend, Value: "text with variables", Default: "none",
		Set: setHash,
		Get: func(s *Settings) any {
			if h, ok := s.Policy.Filter(policy.KindHash).(*policy.Hash); ok {
				return h.Template
			}
			return ""
		},
		Doc: "Sends requests for which the text is equal to one Endpoint. Where an Endpoint comes or goes no more of them move than have to. Wins over load-balance. " +
			"Of letters, digits and -_${} alone, with the variables $arg_NAME, $args, $best_http_host, $binary_remote_addr, $cookie_NAME, $host, $http_host, $http_NAME, $ingress_name, $is_args, $namespace, " +
			"$pass_access_scheme, $query_string, $remote_addr, $request_method, $request_uri, $scheme, $service_name, $service_port, $the_real_ip and $uri. " +
			"The Routes of objects that are taken over from ingress-nginx answer 503 where there are other characters, because there such an object is not loaded.",
	},
	Row{
		Key: "upstream-hash-by-subset", Scope: ScopeBackend, Value: "true or false", Default: "false", Needs: hashBy,
		Set: ofHash(func(s *Settings, h *policy.Hash, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return s.leaveOut("want true or false; false is assumed")
			}
			if on {
				h.Among = defaultSubset
			}
			return nil
		}),
		Get: getHash(func(h *policy.Hash) any { return h.Among }),
		Doc: "Sends them to one of several Endpoints, by chance, which are the same for equal texts.",
	},
	Row{
		Key: "upstream-hash-by-subset-size", Scope: ScopeBackend, Value: "number", Default: "3", Needs: hashBy,
		Set: ofHash(func(s *Settings, h *policy.Hash, value string) error {
			n, err := strconv.Atoi(value)
			switch {
			case err != nil:
				return s.leaveOut("want a number; 3 is assumed")
			case n < 1 || n > maxSubset:
				return fmt.Errorf("want a number from 1 to %d; 3 is assumed", maxSubset)
			case h.Among > 0:
				h.Among = n
			}
			return nil
		}),
		Get: getHash(func(h *policy.Hash) any { return h.Among }),
		Doc: "How many these are.",
	},
	Row{
		Key: "service-upstream", Scope: ScopeBackend, Value: "true or false", Default: "false",
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if s.ServiceUpstream = No; on {
				s.ServiceUpstream = Yes
			}
			if err != nil {
				return errors.New("want true or false; false is assumed")
			}
			return nil
		},
		Get: func(s *Settings) any { return s.ServiceUpstream },
		Doc: "Sends requests to the cluster address of the Service and its port, and not to its Pods: the cluster picks one. What counts on Pods, such as sessions and replays, then has one Endpoint alone. " +
			"A Service without an address, a headless one, is reached by its Pods.",
	},
)

const (
	defaultSubset = 3
	// maxSubset is upstream.MaxAmong.
	maxSubset = 64
	// maxHash bounds the text of upstream-hash-by.
	maxHash = 1024
)

// leaveOut returns reason as an error. Objects that are taken over from ingress-nginx answer 503, because it does not load
// them: nobody has relied on what they would do.
func (s *Settings) leaveOut(reason string) error {
	s.LeftOut = true
	return errors.New(reason + ", but in objects that are taken over from ingress-nginx, which does not load them with such a value: their paths answer 503")
}

func setBalance(s *Settings, value string) error {
	value = strings.TrimSpace(value)
	for b := routing.RoundRobin; b <= routing.LeastConnections; b++ {
		if value == b.String() {
			s.Balance = b
			return nil
		}
	}
	switch value {
	case "":
		return errors.New("want round_robin, ewma or least_conn; round_robin is assumed")
	case "chash", "chashsubset", "sticky_balanced", "sticky_persistent":
		return errors.New("want round_robin, ewma or least_conn; round_robin is assumed. Sessions and hashes have annotations of their own: affinity and upstream-hash-by")
	}
	return s.leaveOut("want round_robin, ewma or least_conn; round_robin is assumed")
}

func setHash(s *Settings, value string) error {
	value = strings.TrimSpace(value)
	const each = "; requests are balanced one by one"
	switch {
	case value == "":
		return errors.New("want text" + each)
	case strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-_${} ", r) }):
		return s.leaveOut("want letters, digits and -_${} alone" + each)
	case len(value) > maxHash:
		return fmt.Errorf("it is longer than %d bytes%s", maxHash, each)
	}
	if _, err := policy.ParseTemplate(value, policy.HashVariables); err != nil {
		return fmt.Errorf("%w%s", err, each)
	}
	s.Policy.Set(&policy.Hash{Template: value})
	return nil
}

// ofHash makes the Set of a Row that is about a hash. Where there is none, because upstream-hash-by is refused, the value is
// checked all the same.
func ofHash(set func(s *Settings, h *policy.Hash, value string) error) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		h, ok := s.Policy.Filter(policy.KindHash).(*policy.Hash)
		if !ok {
			h = &policy.Hash{}
		}
		return set(s, h, value)
	}
}

func getHash(get func(*policy.Hash) any) func(*Settings) any {
	return func(s *Settings) any {
		if h, ok := s.Policy.Filter(policy.KindHash).(*policy.Hash); ok {
			return get(h)
		}
		return nil
	}
}
