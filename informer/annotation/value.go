package annotation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// onOff makes the Set of a Row whose values are on and off, as nginx spells them.
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

// boolean makes the Set of a Row whose values are true and false, in any of strconv.ParseBool's spellings, as ingress-nginx
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

// maxBrief bounds the piece of a value that a reason repeats.
const maxBrief = 60

// brief shortens a piece of a value for a reason.
func brief(part string) string {
	if len(part) > maxBrief {
		part = strings.ToValidUTF8(part[:maxBrief], "") + "..."
	}
	return policy.Word(part)
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// maxDepth bounds the cost of verifying a chain.
const maxDepth = 20

// depth makes the Set of a Row whose values are numbers of intermediate certificates.
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
