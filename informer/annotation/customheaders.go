package annotation

// Fields of responses that a ConfigMap has.
var _ = add(
	Row{
		Key: "custom-headers", Scope: ScopeRoute, Value: "anything", Default: "none",
		Set: func(s *Settings, value string) error {
			if value == "" {
				return nil
			}
			return s.close("fields of a ConfigMap may guard pages, and none is allowed to be added; every path of the object answers 503")
		},
		Get: closed,
		Doc: "Fields for every response, from a ConfigMap. Which fields may be added is for the operator to allow, and nothing allows one yet: " +
			"the Routes of the object answer 503, as in ingress-nginx without such a list.",
	},
)
