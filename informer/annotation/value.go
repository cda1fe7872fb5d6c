package annotation

import (
	"errors"
	"fmt"
	"strconv"
)

// onOff makes Set of a Row whose values are on and off, as nginx spells them.
func onOff(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		switch value {
		case "on":
			*field(s) = true
		case "off":
			*field(s) = false
		default:
			return errors.New("want on or off; off is assumed")
		}
		return nil
	}
}

// boolean makes Set of a Row whose values are true and false, in any of strconv.ParseBool's spellings, as ingress-nginx
// reads them.
func boolean(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		on, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("want true or false; false is assumed")
		}
		*field(s) = on
		return nil
	}
}

// maxDepth bounds what a chain may cost to verify.
const maxDepth = 20

// depth makes Set of a Row whose values are numbers of intermediate certificates.
func depth(field func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxDepth {
			return fmt.Errorf("want a number from 0 to %d; %d is used", maxDepth, defaultDepth)
		}
		*field(s) = n
		return nil
	}
}
