package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	customErrors = "custom-http-errors"
	// interceptAll is how long a list can be: of every status that is an error.
	interceptAll = 200
)

// What is answered instead of errors.
var _ = add(
	Row{
		Key: customErrors, Scope: ScopeRoute, Value: "statuses from 400 to 599, with commas between", Default: "none",
		Set: setErrors,
		Get: func(s *Settings) any {
			var list []string
			for _, status := range errorsOf(s).Statuses {
				list = append(list, strconv.Itoa(status))
			}
			return strings.Join(list, ",")
		},
		Doc: "Responses with these statuses, the gateway's own too, are replaced by the answer of default-backend, whatever that is; without one, or where that has no Endpoint, by 404. " +
			"It is asked for the path / with the client's method and query, with the body if all of it has come with the head, and with X-Code, X-Format (the client's Accept), X-Original-URI, X-Namespace, X-Ingress-Name, X-Service-Name, X-Service-Port and X-Request-ID. " +
			"Its errors are not replaced again. Calls of gRPC and WebSockets that were opened are left alone, and so is what the gateway refuses for want of memory or time. A list that does not parse: 503.",
	},
	Row{
		Key: "disable-proxy-intercept-errors", Scope: ScopeRoute, Value: "true or false", Default: "false", Needs: customErrors,
		Set: boolean(func(s *Settings) *bool { return &errorsOf(s).OwnOnly }),
		Get: func(s *Settings) any { return errorsOf(s).OwnOnly },
		Doc: "Whether " + customErrors + " is for the gateway's own answers alone, and not for those of the object's Backends.",
	},
	Row{
		Key: "default-backend", Scope: ScopeRoute, Value: "name of a Service", Default: "none",
		Set: func(s *Settings, value string) error {
			if len(validation.IsDNS1035Label(value)) > 0 {
				return errors.New("want the name of a Service of the same namespace; nobody answers instead")
			}
			s.DefaultBackend = value
			return nil
		},
		Get: func(s *Settings) any { return s.DefaultBackend },
		Doc: "Service of the same namespace that answers where the object's own has no Endpoint, with X-Code: 503 and the other fields of " + customErrors + ", and instead of the errors that this lists. " +
			"It is asked for the same path, with the whole body; calls of gRPC are not for it. Its first port is used, which speaks plain HTTP. One that does not exist is none.",
	},
)

func setErrors(s *Settings, value string) error {
	const closes = "; every path of the object answers 503"
	list := make([]int, 0, 8)
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		status, err := strconv.Atoi(part)
		if err != nil || len(part) != 3 || status < 400 || status > 599 {
			return fmt.Errorf("%s is no status from 400 to 599: %w", brief(part), s.close("the errors that another Backend is to answer cannot be read"+closes))
		}
		if list = append(list, status); len(list) > interceptAll {
			return s.close(fmt.Sprintf("want at most %d statuses%s", interceptAll, closes))
		}
	}
	if len(list) == 0 {
		s.Policy.Remove(policy.KindErrors)
		return nil
	}
	slices.Sort(list)
	s.Policy.Set(&policy.Errors{Statuses: slices.Compact(list)})
	return nil
}

// errorsOf returns the Errors of the Policy, or a new one that is not in the Policy.
func errorsOf(s *Settings) *policy.Errors {
	if e, ok := s.Policy.Filter(policy.KindErrors).(*policy.Errors); ok {
		return e
	}
	return &policy.Errors{}
}
