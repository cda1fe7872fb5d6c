package annotation

import "errors"

var _ = add(Row{
	Key: "priority", Scope: ScopeRoute, Value: "low, normal or high", Default: "normal", OwnOnly: true,
	Set: func(s *Settings, value string) error {
		switch value {
		case "low":
			s.Policy.Priority = -1
		case "normal":
			s.Policy.Priority = 0
		case "high":
			s.Policy.Priority = 1
		default:
			return errors.New("want low, normal or high; normal is assumed")
		}
		return nil
	},
	Get: func(s *Settings) any { return s.Policy.Priority },
	Doc: "Which requests are answered 503, with Retry-After, first when the gateway is short of memory: low before normal, and normal before high.",
})
