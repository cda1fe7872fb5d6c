package informer

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestRejectionString(t *testing.T) {
	rows := []struct {
		r    Rejection
		want string
	}{
		{Rejection{Object{Kind: "Ingress", Namespace: "ns", Name: "web"}, "spec.rules[0].host", "x y", "bad"}, `Ingress ns/web: spec.rules[0].host="x y": bad`},
		{Rejection{Object{Kind: "IngressClass", Name: "c"}, "spec.parameters", "", "bad"}, "IngressClass c: spec.parameters: bad"},
		{Rejection{Object{Kind: "File", Name: "a.yaml"}, "", "", "bad"}, "File a.yaml: bad"},
	}
	for _, row := range rows {
		if got := row.r.String(); got != row.want {
			t.Errorf("%+v: %q, want %q", row.r, got, row.want)
		}
	}
}

func TestRejectionSet(t *testing.T) {
	var s rejectionSet
	a, b := Rejection{Object: Object{Kind: "A"}}, Rejection{Object: Object{Kind: "B"}}
	first, second := subject{ofFile, routing.ObjectName{Name: "1"}}, subject{ofFile, routing.ObjectName{Name: "2"}}
	if !s.replace(first, []Rejection{b, a}) || s.replace(first, []Rejection{a, b}) {
		t.Error("the order of a list matters")
	}
	s.replace(second, []Rejection{a})
	got := s.all()
	if !slices.Equal(got, []Rejection{a, a, b}) {
		t.Errorf("all = %v", got)
	}
	got[0] = b
	if s.all()[0] != a {
		t.Error("all gives no copy")
	}
	if !s.replace(first, nil) || s.replace(first, nil) || len(s.all()) != 1 {
		t.Error("replace with nothing does not remove")
	}
}
