package routing_test

import (
	"cmp"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// TestAge: who wins a conflict, and what the loser is told.
func TestAge(t *testing.T) {
	source := func(namespace, name string, created int64) *routing.Source {
		return &routing.Source{Ingress: routing.ObjectName{Namespace: namespace, Name: name}, Created: created}
	}
	rows := []struct {
		name          string
		winner, loser *routing.Source
		want          string
	}{
		{"older", source("b", "b", 1), source("a", "a", 2), "it is older (1970-01-01T00:00:01Z, against 1970-01-01T00:00:02Z)"},
		{"namespace sorts first", source("a", "z", 1), source("b", "a", 1), "both are equally old and its name sorts first"},
		{"name sorts first", source("a", "a", 1), source("a", "b", 1), "both are equally old and its name sorts first"},
		{"no object", source("z", "z", 9), nil, "the other comes from no object"},
	}
	for _, row := range rows {
		if row.winner.Compare(row.loser) >= 0 || row.loser.Compare(row.winner) <= 0 {
			t.Errorf("%s: the other one wins", row.name)
		}
		if got := row.winner.WinsOver(row.loser); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	one := source("a", "a", 1)
	for _, same := range []*routing.Source{one, source("a", "a", 1)} {
		if one.Compare(same) != 0 || one.WinsOver(same) != "it is listed first in the same object" {
			t.Errorf("an object against itself: %d, %q", one.Compare(same), one.WinsOver(same))
		}
	}
}

// TestObjectNames: the namespace decides first, whatever the names: "a-b/x" sorts before "a/x" as text.
func TestObjectNames(t *testing.T) {
	sorted := []routing.ObjectName{{}, {Namespace: "a", Name: "x"}, {Namespace: "a", Name: "y"}, {Namespace: "a-b", Name: "x"}, {Namespace: "b", Name: "a"}}
	for i, n := range sorted {
		for j, o := range sorted {
			if got, want := n.Compare(o), cmp.Compare(i, j); got != want {
				t.Errorf("%v to %v: %d, want %d", n, o, got, want)
			}
		}
	}
}
