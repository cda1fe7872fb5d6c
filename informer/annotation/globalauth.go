package annotation

import (
	"errors"
	"strconv"
)

var _ = add(
	Row{
		Key: enableGlobalAuth, Scope: ScopeRoute, Value: "true or false", Default: "true",
		Set: func(_ *Settings, value string) error {
			// Defaults.values has read it.
			if _, err := strconv.ParseBool(value); err != nil {
				return errors.New("want true or false; true is assumed")
			}
			return nil
		},
		Get: func(*Settings) any { return "no effect alone" },
		Doc: "Whether the authority of global-auth-url in ingress-nginx's ConfigMap is asked about requests, where the object has no auth-url of its own.",
	},
)
