package wildcard

import (
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	rows := []struct{ name, want string }{
		{"a.test", "*.test"},
		{"a.b.test", "*.b.test"},
		{"*.b.test", None}, // it stands for one label, and no wildcard above stands for it
		{"test", None},
		{"", None}, // the catch-all
	}
	for _, row := range rows {
		if got := Of(row.name); got != row.want {
			t.Errorf("Of(%q) = %q, want %q", row.name, got, row.want)
		}
	}
}

func TestFamily(t *testing.T) {
	f := make(Family)
	for _, name := range []string{"a.test", "b.test", "a.test", "a.b.test", "*.test", "", "test"} {
		f.Add(name)
	}
	if got := slices.Sorted(f.Below("*.test")); !slices.Equal(got, []string{"a.test", "b.test"}) {
		t.Errorf("below *.test: %v", got)
	}
	for _, name := range []string{"a.test", "b.test", "b.test", "a.b.test", "*.test", ""} {
		f.Remove(name)
	}
	if len(f) != 0 {
		t.Errorf("left: %v", f)
	}
}
