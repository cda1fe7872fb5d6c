package exchange

import (
	"reflect"
	"testing"
)

// TestViews: what Filters see of an Exchange and what its sides see are apart. Programs of others hold an Exchange, and could
// end or drive it with what is the sides': a field of Core that is embedded would have its methods in both.
func TestViews(t *testing.T) {
	t.Parallel()
	filters, sides := reflect.TypeFor[*Exchange](), reflect.TypeFor[*Core]()
	for m := range filters.Methods() {
		if _, both := sides.MethodByName(m.Name); both {
			t.Errorf("%s is a method of both", m.Name)
		}
	}
}
