package annotation

import (
	"errors"
	"strconv"
)

var _ = add(
	Row{
		Key: "canary", Scope: ScopeObject, Value: "true or false", Default: "false",
		Set: setCanary,
		Get: func(s *Settings) any { return s.Canary },
		Doc: "Marks the object as a variant of another. Variants are not supported yet: " +
			"the Routes of a canary are left out, and the main object serves all requests.",
	},
)

func setCanary(s *Settings, value string) error {
	on, err := strconv.ParseBool(value)
	switch {
	case err != nil:
		return errors.New("want true or false; false is assumed")
	case on:
		s.Canary = true
		return errors.New("canaries are not supported yet; the paths of this object are left out, and the main object serves all requests")
	}
	return nil
}
