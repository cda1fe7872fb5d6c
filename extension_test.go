package sluice

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// quiet is a filter that does nothing.
type quiet struct{}

func (quiet) Name() string                               { return "quiet" }
func (quiet) Request(*server.Exchange) server.Verdict    { return server.Continue }
func newQuiet(string, server.Env) (server.Filter, error) { return quiet{}, nil }
func setQuiet(s *string, value string) error             { *s = value; return nil }
func quietOnly(d Declaration[string]) Options            { return Options{Filters: []Filter{Declare(d)}} }
func annotated(key string) []Annotation[string] {
	return []Annotation[string]{{Key: key, Value: "text", Doc: "Text.", Set: setQuiet}}
}

// TestDeclarations: a program whose filters cannot be what they say does not begin, and says why.
func TestDeclarations(t *testing.T) {
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"good", quietOnly(Declaration[string]{Name: "quiet", New: newQuiet, Annotations: annotated("example.com/quiet")}), ""},
		{"no name", quietOnly(Declaration[string]{New: newQuiet}), "want a name"},
		{"a bad name", quietOnly(Declaration[string]{Name: "Quiet", New: newQuiet}), "want a name"},
		{"not declared", Options{Filters: []Filter{{}}}, "given to Declare"},
		{"a stage that is none", quietOnly(Declaration[string]{Name: "quiet", Stage: "late", New: newQuiet}), `"late" is no stage`},
		{"the gateway's name", quietOnly(Declaration[string]{Name: policy.KindCORS, New: newQuiet}), "the name is taken"},
		{"a name twice", Options{Filters: []Filter{Declare(Declaration[string]{Name: "quiet", New: newQuiet}), Declare(Declaration[int]{Name: "quiet"})}}, "the name is taken"},
		{"the gateway's key", quietOnly(Declaration[string]{Name: "quiet", New: newQuiet, Annotations: annotated("enable-cors")}), "the key is taken"},
		{"no check", quietOnly(Declaration[string]{Name: "quiet", New: newQuiet, Annotations: []Annotation[string]{{Key: "x", Value: "text", Doc: "Text."}}}), "want a check"},
	} {
		var out, log strings.Builder
		code := row.o.run([]string{"filters"}, &out, &log)
		if (code == 2) != (row.want != "") || !strings.Contains(log.String(), row.want) {
			t.Errorf("%s: exit code %d, %q, want %q", row.name, code, log.String(), row.want)
		}
		if row.want == "" && !strings.HasSuffix(out.String(), "\nforward    quiet\n") {
			t.Errorf("%s: %s", row.name, out.String())
		}
	}
}

// TestDeclared: what annotations set is what the filter is made of, each annotation by itself.
func TestDeclared(t *testing.T) {
	type pair struct{ A, B string }
	var made []pair
	o := Options{Filters: []Filter{Declare(Declaration[pair]{
		Name: "pair", Stage: policy.StageAccess,
		Annotations: []Annotation[pair]{
			{Key: "pair-a", Value: "text", Doc: "A.", Set: func(p *pair, v string) error { p.A = v; return nil }},
			{Key: "pair-b", Value: "text", Doc: "B.", Set: func(p *pair, v string) error {
				if p.B = v; v == "bad" {
					return errors.New("no")
				}
				return nil
			}},
		},
		New: func(p pair, _ server.Env) (server.Filter, error) { made = append(made, p); return quiet{}, nil },
	})}}
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		annotations map[string]string
		want        *pair
	}{
		{map[string]string{}, nil},
		{map[string]string{"sluice-gateway.io/pair-b": "bad"}, nil},
		{map[string]string{"sluice-gateway.io/pair-a": "x", "sluice-gateway.io/pair-b": "y"}, &pair{"x", "y"}},
		{map[string]string{"sluice-gateway.io/pair-a": "x", "sluice-gateway.io/pair-b": "bad"}, &pair{"x", ""}},
		{map[string]string{"sluice-gateway.io/filters": "pair"}, &pair{}},
	} {
		s := o.annotations.Parse(row.annotations, func(_, _, _ string) {})
		f := s.Policy.Filter("pair")
		if (f == nil) != (row.want == nil) {
			t.Errorf("%v: got %v", row.annotations, f)
			continue
		}
		if f == nil {
			continue
		}
		made = nil
		for _, m := range o.forServer().Makers {
			if m.Kind == "pair" {
				if _, err := m.Make(f, server.Env{}); err != nil {
					t.Error(err)
				}
			}
		}
		if len(made) != 1 || made[0] != *row.want {
			t.Errorf("%v: made of %v, want %v", row.annotations, made, *row.want)
		}
	}
}
