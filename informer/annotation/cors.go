package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// The defaults are ingress-nginx's.
const (
	corsMethods = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
	corsHeaders = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"
	corsMaxAge  = 1728000
)

const enableCORS = "enable-cors"

// Pages of other origins (Fetch standard, section 3.2).
var _ = add(
	Row{
		Key: enableCORS, Scope: ScopeRoute, Value: "true or false", Default: "false",
		Set: setCORS,
		Get: func(s *Settings) any { return s.Policy.Filter(policy.KindCORS) != nil },
		Doc: "Answers preflights of origins that are allowed, which are requests of method OPTIONS, with 204, and tells browsers in every response to them what pages of other origins may do. " +
			"What a Backend says of that is replaced. An origin that is not allowed is told nothing, and its preflight goes to the Backend.",
	},
	Row{
		Key: "cors-allow-credentials", Scope: ScopeRoute, Value: "true or false", Default: "true", Needs: enableCORS,
		Set: ofCORS(func(c *policy.CORS, value string) (err error) {
			if c.Credentials, err = strconv.ParseBool(value); err != nil {
				return errors.New("want true or false; false is assumed, which keeps cookies out")
			}
			return nil
		}),
		Get: getCORS(func(c *policy.CORS) any { return c.Credentials }),
		Doc: "Whether requests may carry cookies. What does not parse is false.",
	},
	Row{
		Key: "cors-allow-headers", Scope: ScopeRoute, Value: "names, with commas between", Default: corsHeaders, Needs: enableCORS,
		Set: ofCORS(func(c *policy.CORS, value string) error {
			return setNames(&c.Headers, "Access-Control-Allow-Headers", value, isFieldName, "want names of fields, of letters, digits, - and _, with commas between; the default is used")
		}),
		Get: getCORS(func(c *policy.CORS) any { return c.Headers }),
		Doc: "Access-Control-Allow-Headers: the fields that requests may have.",
	},
	Row{
		Key: "cors-allow-methods", Scope: ScopeRoute, Value: "methods, with commas between", Default: corsMethods, Needs: enableCORS,
		Set: ofCORS(func(c *policy.CORS, value string) error {
			return setNames(&c.Methods, "Access-Control-Allow-Methods", value, isMethod, "want methods, of letters, with commas between; the default is used")
		}),
		Get: getCORS(func(c *policy.CORS) any { return c.Methods }),
		Doc: "Access-Control-Allow-Methods: the methods that requests may have.",
	},
	Row{
		Key: "cors-allow-origin", Scope: ScopeRoute, Value: "*, or origins, with commas between", Default: "*", Needs: enableCORS,
		Set: setOrigins,
		Get: getCORS(func(c *policy.CORS) any { return strings.Join(c.Origins, " ") }),
		Doc: "The origins that are allowed: scheme://host, with a port where there is one, in any case; *. before the host stands for one label of letters, digits and hyphens, and null is the origin of no page. " +
			"One that does not parse is left out; where none is left, enable-cors has no effect.",
	},
	Row{
		Key: "cors-expose-headers", Scope: ScopeRoute, Value: "names, with commas between", Needs: enableCORS,
		Set: ofCORS(func(c *policy.CORS, value string) error {
			return setNames(&c.Expose, "Access-Control-Expose-Headers", value, isFieldName, "want names of fields, of letters, digits, - and _, with commas between; none is exposed")
		}),
		Get: getCORS(func(c *policy.CORS) any { return c.Expose }),
		Doc: "Access-Control-Expose-Headers: the fields of responses that pages may read.",
	},
	Row{
		Key: "cors-max-age", Scope: ScopeRoute, Value: "seconds", Default: strconv.Itoa(corsMaxAge), Needs: enableCORS,
		Set: ofCORS(func(c *policy.CORS, value string) error {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil || n < -1 {
				return errors.New("want whole seconds, or -1 for none; the default is used")
			}
			c.MaxAge = int(n)
			return nil
		}),
		Get: getCORS(func(c *policy.CORS) any { return c.MaxAge }),
		Doc: "Access-Control-Max-Age: how long browsers may keep the answer to a preflight; -1 has them ask each time.",
	},
)

func setCORS(s *Settings, value string) error {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("want true or false; false is assumed")
	}
	if on {
		s.Policy.Set(&policy.CORS{
			Origins: []string{"*"}, Methods: corsMethods, Headers: corsHeaders, Credentials: true, MaxAge: corsMaxAge,
		})
	}
	return nil
}

// ofCORS makes the Set of a Row that changes the CORS of the Policy. Where CORS is off the value is still checked.
func ofCORS(set func(*policy.CORS, string) error) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		c, ok := s.Policy.Filter(policy.KindCORS).(*policy.CORS)
		if !ok {
			c = &policy.CORS{}
		}
		return set(c, value)
	}
}

func getCORS(get func(*policy.CORS) any) func(*Settings) any {
	return func(s *Settings) any {
		c, ok := s.Policy.Filter(policy.KindCORS).(*policy.CORS)
		if !ok {
			return nil
		}
		return get(c)
	}
}

// setNames keeps a list as it is written; it is sent in that form.
func setNames(to *string, field, value string, valid func(name string) bool, want string) error {
	value = strings.Trim(value, " ")
	found := false
	for name := range strings.SplitSeq(value, ",") {
		switch name = strings.Trim(name, " "); {
		case name == "": // lists may have empty elements (RFC 9110 section 5.6.1.2)
		case !valid(name):
			return fmt.Errorf("%s: %s", brief(name), want)
		default:
			found = true
		}
	}
	if !found || policy.ValidField(field, value) != nil {
		return errors.New(want)
	}
	*to = value
	return nil
}

func isFieldName(name string) bool {
	return name == "*" || !strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '_' })
}

func isMethod(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) || '0' <= r && r <= '9' })
}

// setOrigins leaves out origins that do not parse. Where none is left no origin is allowed; ingress-nginx then allows all
// of them.
func setOrigins(s *Settings, value string) error {
	var origins, bad []string
	for part := range strings.SplitSeq(value, ",") {
		switch origin := strings.ToLower(strings.TrimSpace(part)); {
		case validOrigin(origin):
			origins = append(origins, origin)
		case len(bad) < maxUnknown:
			bad = append(bad, brief(strings.TrimSpace(part)))
		case len(bad) == maxUnknown:
			bad = append(bad, "and others")
		}
	}
	if slices.Contains(origins, "*") {
		origins = []string{"*"}
	}
	slices.Sort(origins)
	origins = slices.Compact(origins)
	if c, ok := s.Policy.Filter(policy.KindCORS).(*policy.CORS); ok {
		c.Origins = origins
	}
	const want = "want *, null, or origins such as https://a.example or https://*.a.example:8443, with commas between"
	switch {
	case len(origins) == 0:
		s.Policy.Remove(policy.KindCORS)
		return fmt.Errorf("%s: %s; no origin is allowed", strings.Join(bad, ", "), want)
	case len(bad) > 0:
		return fmt.Errorf("%s: left out; %s", strings.Join(bad, ", "), want)
	}
	return nil
}

// validOrigin accepts "*", "null" and scheme://host, with or without a port, where the host may begin with "*.". s is in
// lower case.
func validOrigin(s string) bool {
	if s == "*" || s == "null" {
		return true
	}
	scheme, host, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || strings.ContainsFunc(scheme, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return false
	}
	host, port, ported := strings.Cut(host, ":")
	if ported {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return false
		}
	}
	host = strings.TrimPrefix(host, "*.")
	return host != "" && !strings.ContainsFunc(host, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '.' })
}
