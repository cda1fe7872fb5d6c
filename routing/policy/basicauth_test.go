package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func init() { filters = append(filters, &BasicAuth{}, &AnyOf{}) }

// TestUsersNeverPrint: neither alone nor within what holds them.
func TestUsersNeverPrint(t *testing.T) {
	b := &BasicAuth{Realm: "r", Secret: "a/b", Users: NewUsers(map[string]string{"alice": "{PLAIN}hidden"})}
	p := &Policy{}
	p.Set(b)
	p.Set(&AnyOf{Access: &Access{}, Basic: b})
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	all := string(text) + fmt.Sprintf("%v %+v %#v %s %q %x", b.Users, b.Users, b.Users, b.Users, b.Users, b.Users) + fmt.Sprintf("%v %+v %#v", b, b, b)
	for line := range p.Lines() {
		all += line
	}
	for _, secret := range []string{"alice", "hidden", "PLAIN"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in %s", secret, all)
		}
	}
}

func TestUsersEqual(t *testing.T) {
	a := NewUsers(map[string]string{"a": "1", "b": "2"})
	if !a.Equal(NewUsers(map[string]string{"b": "2", "a": "1"})) || !(Users{}).Equal(NewUsers(nil)) {
		t.Error("equal Users differ")
	}
	for _, o := range []Users{{}, NewUsers(map[string]string{"a": "1"}), NewUsers(map[string]string{"a": "2", "b": "1"}), NewUsers(map[string]string{"a1": "", "b": "2"})} {
		if a.Equal(o) || o.Equal(a) {
			t.Error("other Users are equal")
		}
	}
}
