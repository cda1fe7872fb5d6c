package annotation

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Transport holds the annotations hsts and hsts-*: what browsers are told of TLS. Comparable.
type Transport struct {
	// Asked says whether they are told anything.
	Asked Choice
	// Detailed is true where an annotation decides of Is, which has ingress-nginx's defaults otherwise.
	Detailed bool
	Is       policy.Transport
}

var defaultTransport = Transport{Is: policy.Transport{MaxAge: 31536000, SubDomains: true}}

// Strict-Transport-Security.
var _ = add(
	Row{
		Key: "hsts", Scope: ScopeRoute, Value: "true or false", Default: "true for objects of ingress-nginx's class, false for others", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("want true or false; the default is kept")
			}
			if s.Transport.Asked = No; on {
				s.Transport.Asked = Yes
			}
			return nil
		},
		Get: func(s *Settings) any { return s.Transport.Asked },
		Doc: "Whether browsers that come over TLS are told to come in no other way from then on: the field Strict-Transport-Security in every response over TLS, instead of a Backend's. " +
			"Redirects of from-to-www-redirect have none.",
	},
	Row{
		Key: "hsts-max-age", Scope: ScopeRoute, Value: "seconds", Default: "31536000", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return fmt.Errorf("want a number of seconds, at most %d; %d are used", 1<<31-1, defaultTransport.Is.MaxAge)
			}
			s.Transport.Is.MaxAge, s.Transport.Detailed = int(n), true
			return nil
		},
		Get: func(s *Settings) any { return s.Transport.Is.MaxAge },
		Doc: "How long that holds. 0 has browsers forget it.",
	},
	Row{
		Key: "hsts-include-subdomains", Scope: ScopeRoute, Value: "true or false", Default: "true", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("want true or false; true is assumed")
			}
			s.Transport.Is.SubDomains, s.Transport.Detailed = on, true
			return nil
		},
		Get: func(s *Settings) any { return s.Transport.Is.SubDomains },
		Doc: "Whether that holds for all names below the host's too.",
	},
	Row{
		Key: "hsts-preload", Scope: ScopeRoute, Value: "true or false", Default: "false", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("want true or false; false is assumed")
			}
			s.Transport.Is.Preload, s.Transport.Detailed = on, true
			return nil
		},
		Get: func(s *Settings) any { return s.Transport.Is.Preload },
		Doc: "Whether the host may be put into the lists that browsers are delivered with, which is hard to undo.",
	},
)

// Field returns what policy.Policy.StrictTransport is to be. takenOver says that the object is of ingress-nginx's class.
func (t Transport) Field(takenOver bool) string {
	switch {
	case t.Asked == No:
		return policy.NoTransport
	case t.Asked == Unsaid && (!takenOver || !t.Detailed):
		return ""
	}
	return t.Is.String()
}
