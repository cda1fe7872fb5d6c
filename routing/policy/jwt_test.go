package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func init() { filters = append(filters, &JWT{}) }

// TestSealedNeverPrints: neither alone nor within what holds it.
func TestSealedNeverPrints(t *testing.T) {
	j := &JWT{Secret: "a/b", Keys: Seal([]byte("hidden"))}
	p := &Policy{}
	p.Set(j)
	p.Set(&AnyOf{Access: &Access{}, JWT: j})
	encoded, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	all := string(encoded) + fmt.Sprintf("%v %+v %#v %s %q %x", j.Keys, j.Keys, j.Keys, j.Keys, j.Keys, j.Keys) + fmt.Sprintf("%v %+v %#v", j, j, j)
	for line := range p.Lines() {
		all += line
	}
	for _, secret := range []string{"hidden", fmt.Sprintf("%x", "hidden"), fmt.Sprint([]byte("hidden"))} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in %s", secret, all)
		}
	}
}

func TestSealedEqual(t *testing.T) {
	a := Seal([]byte("a"))
	if !a.Equal(Seal([]byte("a"))) || !(Sealed{}).Equal(Seal(nil)) || a.Equal(Sealed{}) || (Sealed{}).Equal(a) || a.Equal(Seal([]byte("b"))) {
		t.Error("Equal is not equality")
	}
	if string(a.Open()) != "a" || (Sealed{}).Open() != nil || !(Sealed{}).Empty() || a.Empty() {
		t.Error("what was sealed is not what is opened")
	}
}
