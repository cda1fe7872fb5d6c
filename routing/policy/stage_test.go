package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStages(t *testing.T) {
	all := Stages()
	for i, s := range all {
		if !s.Known() || s == "" || slices.Index(all, s) != i {
			t.Errorf("%q", s)
		}
		for j, o := range all {
			if got := s.Compare(o); got != max(-1, min(1, i-j)) {
				t.Errorf("%s and %s: %d", s, o, got)
			}
		}
		if s.Compare("") != -1 || Stage("other").Compare(s) != 1 || Stage("").Compare("other") != 0 {
			t.Errorf("%s does not stand outside what is no Stage", s)
		}
	}
	if Stage("").Known() || Stage("Access").Known() {
		t.Error("more is known than there is")
	}
	// A mistake here would move security filters: the order is written down twice.
	want := "[encoding errors fields identity redirect limit firewall access mirror backend forward]"
	if got := fmt.Sprint(all); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLayers: the onion's order, whatever the Kinds are called; what was moved stands behind the others of its Stage.
func TestLayers(t *testing.T) {
	o := Onion{{"z", StageErrors}, {"m", StageAccess}, {"a", StageAccess}, {"b", StageForward}, {"inner", ""}}
	named := func(name Kind, at Stage) Filter { return &Named[string]{Name: name, Stage: at} }
	for _, row := range []struct {
		filters []Filter
		want    string
	}{
		{nil, ""},
		{[]Filter{named("a", ""), named("m", ""), named("z", "")}, "errors z, access m, access a"},
		{[]Filter{named("a", ""), named("inner", ""), named("b", "")}, "access a, forward b,  inner"},
		{[]Filter{named("a", ""), named("b", StageAccess), named("m", "")}, "access m, access a, access b"},
		{[]Filter{named("b", StageEncoding), named("z", "")}, "encoding b, errors z"},
		{[]Filter{named("z", StageForward), named("b", ""), named("inner", "")}, "forward b, forward z,  inner"},
		{[]Filter{named("z", StageLimit)}, "limit z"},
		{[]Filter{named("a", ""), named("unknown", StageErrors), named("z", "")}, "errors z, access a,  unknown"},
		{[]Filter{named("a", StageIdentity), named("b", StageIdentity), named("m", "")}, "identity a, identity b, access m"},
	} {
		p := &Policy{}
		for _, f := range row.filters {
			p.Set(f)
		}
		var got []string
		for _, l := range o.Layers(p) {
			got = append(got, string(l.Stage)+" "+string(l.Filter.Kind()))
			if l.Place >= 0 && o[l.Place].Kind != l.Filter.Kind() {
				t.Errorf("%s has the place of %s", l.Filter.Kind(), o[l.Place].Kind)
			}
		}
		if strings.Join(got, ", ") != row.want {
			t.Errorf("got %q, want %q", strings.Join(got, ", "), row.want)
		}
	}
	if o.Layers(nil) != nil {
		t.Error("no Policy has layers")
	}
}

// TestNamed: settings of any type are compared whole, and shown quoted, but for what is not to be shown.
func TestNamed(t *testing.T) {
	type settings struct {
		Text   string
		List   []string
		N      int
		Secret string `show:"-"`
	}
	one := &Named[settings]{Name: "note", Settings: settings{Text: "a b\nclosed: no", List: []string{"x", "y"}, Secret: "s3cret"}}
	if got := Line(one); got != `note text "a b\nclosed: no" list "[x y]"` {
		t.Errorf("got %s", got)
	}
	if got := Line(&Named[settings]{Name: "note"}); got != "note" {
		t.Errorf("got %q", got)
	}
	if got := Line(&Named[int]{Name: "note", Settings: 5, Stage: StageAccess}); got != "note at access 5" {
		t.Errorf("got %q", got)
	}
	for name, change := range map[string]func(n *Named[settings]){
		"a text": func(n *Named[settings]) { n.Settings.Text = "" }, "a list": func(n *Named[settings]) { n.Settings.List = []string{"x"} },
		"what is not shown": func(n *Named[settings]) { n.Settings.Secret = "" }, "the stage": func(n *Named[settings]) { n.Stage = StageAccess },
	} {
		o := *one
		if !one.Equal(&o) {
			t.Fatal("differs from itself")
		}
		if change(&o); one.Equal(&o) {
			t.Errorf("%s is not compared", name)
		}
	}
	if one.Equal(&Named[string]{Name: "note"}) {
		t.Error("equal to settings of another type")
	}
	if moved, ok := one.At(StageLimit).(*Named[settings]); !ok || moved.Stage != StageLimit || moved.Settings.Text != one.Settings.Text || one.Stage != "" {
		t.Errorf("moved is %v of %v", moved, one)
	}
}
