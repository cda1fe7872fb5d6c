package sluice

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer"
)

// report is the result of check. It is the JSON form as it stands.
type report struct {
	Hosts      int                  `json:"hosts"`
	Routes     int                  `json:"routes"`
	Backends   int                  `json:"backends"`
	Endpoints  int                  `json:"endpoints"`
	Rejections []informer.Rejection `json:"rejections"`
	// Fields counts the Rejections by kind and field, the most frequent first. Positions in lists are left
	// out: the count is of faults, not of places.
	Fields []fieldCount `json:"fields"`
	// Skipped are the objects of kinds that are not read, and OtherClasses the Ingresses of other
	// controllers.
	Skipped      []informer.Skipped    `json:"skipped"`
	OtherClasses []informer.ClassCount `json:"other_classes"`
	// IgnoredFiles are the first files that are not read because of their names.
	IgnoredFiles []string `json:"ignored_files"`
	MoreIgnored  int      `json:"more_ignored_files"`
}

type fieldCount struct {
	Kind  string `json:"kind"`
	Field string `json:"field"`
	Count int    `json:"count"`
}

var position = regexp.MustCompile(`\[[0-9]+\]`)

func newReport(found *informer.Inspection) *report {
	r := &report{
		// An empty list is a list in JSON too.
		Rejections: append([]informer.Rejection{}, found.Rejections...), Fields: []fieldCount{},
		Skipped: append([]informer.Skipped{}, found.Skipped...), OtherClasses: append([]informer.ClassCount{}, found.OtherClasses...),
		IgnoredFiles: append([]string{}, found.IgnoredFiles...), MoreIgnored: found.MoreIgnored,
	}
	if s := found.Snapshot; s != nil {
		r.Routes = s.Table.Routes()
		for range s.Table.Hosts() {
			r.Hosts++
		}
		for _, b := range s.Backends {
			if b != nil {
				r.Backends++
				r.Endpoints += len(b.Endpoints)
			}
		}
	}
	counts := map[fieldCount]int{}
	for _, rejection := range r.Rejections {
		counts[fieldCount{Kind: rejection.Object.Kind, Field: position.ReplaceAllString(rejection.Field, "[]")}]++
	}
	for f, n := range counts {
		f.Count = n
		r.Fields = append(r.Fields, f)
	}
	slices.SortFunc(r.Fields, func(a, b fieldCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Field, b.Field))
	})
	return r
}

// write prints the report, and returns errRefused when there is a Rejection.
func (r *report) write(out io.Writer, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	} else if _, err := io.WriteString(out, r.text()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if len(r.Rejections) > 0 {
		return errRefused
	}
	return nil
}

// maxPlaces bounds the objects of one kind whose places the text lists; the JSON form has all.
const maxPlaces = 5

func (r *report) text() string {
	var b strings.Builder
	for _, rejection := range r.Rejections {
		fmt.Fprintf(&b, "%s\n", rejection)
	}
	if len(r.Fields) > 0 {
		b.WriteString("\nBy field:\n")
		for _, f := range r.Fields {
			fmt.Fprintf(&b, "%6d  %s %s\n", f.Count, f.Kind, cmp.Or(f.Field, "(the whole object)"))
		}
		b.WriteString("\n")
	}
	if len(r.Skipped) > 0 {
		b.WriteString("Not read, because of their kinds:\n")
		r.writeSkipped(&b)
		b.WriteString("\n")
	}
	if len(r.IgnoredFiles) > 0 {
		b.WriteString("Not read, because they are not named *.yaml, *.yml or *.json:\n")
		for _, file := range r.IgnoredFiles {
			fmt.Fprintf(&b, "        %s\n", file)
		}
		if r.MoreIgnored > 0 {
			fmt.Fprintf(&b, "        and %d more\n", r.MoreIgnored)
		}
		b.WriteString("\n")
	}
	if len(r.OtherClasses) > 0 {
		b.WriteString("Ingresses of other classes:\n")
		for _, c := range r.OtherClasses {
			fmt.Fprintf(&b, "%6d  %s\n", c.Ingresses, cmp.Or(c.Class, "(no class)"))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s, %s, %s and %s would be served; %s.\n",
		plural(r.Hosts, "host"), plural(r.Routes, "route"), plural(r.Backends, "backend"), plural(r.Endpoints, "endpoint"), plural(len(r.Rejections), "rejection"))
	return b.String()
}

// writeSkipped counts the objects of each kind and gives the places of the first few, but of all that
// look like a mistake.
func (r *report) writeSkipped(b *strings.Builder) {
	type kind struct{ version, kind string }
	var order []kind
	of := map[kind][]informer.Skipped{}
	for _, s := range r.Skipped {
		k := kind{s.APIVersion, s.Object.Kind}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], s)
	}
	slices.SortFunc(order, func(a, b kind) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.version, b.version))
	})
	for _, k := range order {
		fmt.Fprintf(b, "%6d  %s %s\n", len(of[k]), k.version, k.kind)
		for i, s := range of[k] {
			if i == maxPlaces && s.Hint == "" {
				fmt.Fprintf(b, "        and %d more; -o json lists all\n", len(of[k])-i)
				break
			}
			fmt.Fprintf(b, "        %s\n", s)
		}
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
