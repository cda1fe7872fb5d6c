package annotation

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func init() {
	examples = append(examples, example{"filters", "any", closing}, example{"filters", "", closing})
}

// note is the configuration of a program's filter.
type note = policy.Named[string]

// program is a Table with the annotations of two filters of a program, which can be attached by name too.
func program(t *testing.T) *Table {
	t.Helper()
	set := func(name policy.Kind) func(*Settings, string) error {
		return func(s *Settings, value string) error {
			switch value {
			case "bad":
				return errors.New("it is bad")
			case "boom":
				panic("boom")
			}
			next := &note{Name: name}
			if has, ok := s.Policy.Filter(name).(*note); ok {
				*next = *has
			}
			next.Settings = value
			s.Policy.Set(next)
			return nil
		}
	}
	attach := func(name policy.Kind) Attach {
		return func(at policy.Stage) policy.Filter { return &note{Name: name, Stage: at} }
	}
	table, err := NewTable([]Row{
		{Key: "example.com/note", Scope: ScopeRoute, Value: "text", Doc: "A note.", Set: set("note")},
		{Key: "a-guard", Scope: ScopeRoute, Value: "text", Doc: "A guard.", Secures: true, Set: set("guard")},
	}, map[policy.Kind]Attach{"note": attach("note"), "guard": attach("guard")})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestProgram: annotations of programs are read as the gateway's own, under their domains or Sluice's prefix.
func TestProgram(t *testing.T) {
	for _, row := range []struct {
		name        string
		annotations map[string]string
		rejected    string
		want        []string
	}{
		{"settings", map[string]string{"example.com/note": "x", OwnPrefix + "a-guard": "y"}, "", []string{"guard y", "note x"}},
		{"a neighbour of the same domain", map[string]string{"example.com/notes": "x", "auth-x.example.com/y": "z"}, "", nil},
		{"not under the other prefix", map[string]string{NginxPrefix + "a-guard": "y", NginxPrefix + "example.com/note": "x"}, NginxPrefix + "a-guard " + NginxPrefix + "example.com/note", nil},
		{"refused", map[string]string{"example.com/note": "bad"}, "example.com/note", nil},
		{"refused, and a guard", map[string]string{OwnPrefix + "a-guard": "bad"}, OwnPrefix + "a-guard", []string{"closed: it may protect the object, of which every path answers 503 rather than being open"}},
		{"a check that panics", map[string]string{"example.com/note": "boom"}, "example.com/note", []string{"closed: it may protect the object, of which every path answers 503 rather than being open"}},
		{"by name", map[string]string{OwnPrefix + "filters": "note, guard@limit"}, "", []string{`guard at limit ""`, `note ""`}},
		{"by name and with settings", map[string]string{OwnPrefix + "filters": "note@errors,guard@limit", "example.com/note": "x", OwnPrefix + "a-guard": "y"}, "",
			[]string{"guard at limit y", "note at errors x"}},
		{"unknown", map[string]string{OwnPrefix + "filters": "note,other"}, OwnPrefix + "filters",
			[]string{"closed: other is no filter of this program, which has guard, note; every path of the object answers 503"}},
		{"no stage", map[string]string{OwnPrefix + "filters": "note@Access"}, OwnPrefix + "filters",
			[]string{"closed: Access is no stage: want " + stageNames() + "; every path of the object answers 503"}},
		{"twice", map[string]string{OwnPrefix + "filters": "note,note"}, OwnPrefix + "filters", []string{"closed: note is named twice; every path of the object answers 503"}},
		{"forged", map[string]string{OwnPrefix + "filters": "a\nb"}, OwnPrefix + "filters",
			[]string{`closed: "a\nb" is no filter of this program, which has guard, note; every path of the object answers 503`}},
	} {
		var rejected []string
		s := program(t).Parse(row.annotations, func(name, _, _ string) { rejected = append(rejected, name) })
		slices.Sort(rejected)
		if got := slices.Collect(s.Policy.Lines()); !slices.Equal(got, row.want) || strings.Join(rejected, " ") != row.rejected {
			t.Errorf("%s: rejected %q, want %q; got\n%s\nwant\n%s", row.name, rejected, row.rejected, strings.Join(got, "\n"), strings.Join(row.want, "\n"))
		}
	}
	if text := program(t).Reference(); !strings.Contains(text, "| `example.com/note` | route | text |  | A note. |") || !strings.Contains(text, "| `a-guard` (only under `sluice-gateway.io/`)") {
		t.Errorf("the reference has no rows of the program's:\n%s", text)
	}
}

// TestNewTable: what two could claim, or what would break the reference, is refused before anything runs.
func TestNewTable(t *testing.T) {
	good := Row{Key: "example.com/x", Value: "text", Doc: "Text.", Set: func(*Settings, string) error { return nil }}
	for name, change := range map[string]func(*Row){
		"":                        func(*Row) {},
		"the key is taken":        func(r *Row) { r.Key = "enable-cors" },
		"want a key without":      func(r *Row) { r.Key = OwnPrefix + "x" },
		"with a domain of your":   func(r *Row) { r.Key = LegacyClass },
		"want a key of":           func(r *Row) { r.Key = "" },
		"of visible letters":      func(r *Row) { r.Key = "x*" },
		"want a check":            func(r *Row) { r.Set = nil },
		"a text of one line":      func(r *Row) { r.Doc = "a|b" },
		"text of one line withou": func(r *Row) { r.Value = "a\nb" },
	} {
		r := good
		change(&r)
		if _, err := NewTable([]Row{r}, nil); (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
	if _, err := NewTable([]Row{good, good}, nil); err == nil {
		t.Error("a key can be there twice")
	}
}
