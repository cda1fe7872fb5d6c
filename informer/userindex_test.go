package informer

import (
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestUserIndex(t *testing.T) {
	set := func(names ...string) map[routing.ObjectName]struct{} {
		m := make(map[routing.ObjectName]struct{})
		for _, name := range names {
			m[routing.ObjectName{Name: name}] = struct{}{}
		}
		return m
	}
	x := make(userIndex)
	web, api := routing.ObjectName{Name: "web"}, routing.ObjectName{Name: "api"}
	x.replace(web, nil, set("a", "b"))
	x.replace(api, nil, set("b"))
	x.replace(web, set("a", "b"), set("b", "c"))
	for object, want := range map[string]int{"a": 0, "b": 2, "c": 1} {
		if got := len(x[routing.ObjectName{Name: object}]); got != want {
			t.Errorf("%s has %d users, want %d", object, got, want)
		}
	}
	x.replace(web, set("b", "c"), nil)
	if x.replace(api, set("b"), nil); len(x) != 0 {
		t.Errorf("left: %v", x)
	}
}
