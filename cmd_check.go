package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
)

var checkCommand = command{
	name:     "check",
	synopsis: "[--manifests DIR | --kubeconfig FILE] [--class NAME] [-o text|json]",
	about: "Report what would not be served as written, without serving.\n" +
		"Each Rejection names the object, the field and the reason; a summary counts them by field, which is what a\n" +
		"migration has to deal with. Nothing is bound and nothing is written. Exit code 1 means that something is refused.",
	register: func(set *flag.FlagSet, out, _ io.Writer) func([]string) error {
		var from source
		from.flags(set)
		class := set.String("class", "", "Report on the Ingresses of class `NAME`, such as nginx, as if they were taken over from ingress-nginx.")
		format := set.String("o", "text", "Write the report as `FORMAT`: text or json.")
		return func(args []string) error {
			if len(args) > 0 {
				return usagef("check takes no arguments")
			}
			if *format != "text" && *format != "json" {
				return usagef("-o %s: write text or json", *format)
			}
			if err := from.validate(); err != nil {
				return err
			}
			snapshot, rejections, err := from.load(from.checkConfig(*class))
			if err != nil {
				return err
			}
			return newReport(snapshot, rejections).write(out, *format)
		}
	},
}

// checkConfig is the default configuration, and for a class to be taken over that of its controller
// too: an IngressClass object decides where there is one.
func (s *source) checkConfig(class string) informer.Config {
	c := s.config(config.Default())
	if class != "" && class != c.IngressClass {
		c.IngressClass = class
		c.Controllers = []string{informer.NginxController, informer.DefaultController}
	}
	return c
}

// report is what check found. It is the JSON form as it stands.
type report struct {
	Hosts      int                  `json:"hosts"`
	Routes     int                  `json:"routes"`
	Backends   int                  `json:"backends"`
	Endpoints  int                  `json:"endpoints"`
	Rejections []informer.Rejection `json:"rejections"`
	// Fields counts the Rejections by kind and field, the most frequent first.
	Fields []fieldCount `json:"fields"`
}

type fieldCount struct {
	Kind  string `json:"kind"`
	Field string `json:"field"`
	Count int    `json:"count"`
}

func newReport(s *routing.Snapshot, rejections []informer.Rejection) *report {
	r := &report{Rejections: rejections, Fields: []fieldCount{}}
	if rejections == nil {
		r.Rejections = []informer.Rejection{}
	}
	if s != nil {
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
	for _, rejection := range rejections {
		counts[fieldCount{Kind: rejection.Object.Kind, Field: rejection.Field}]++
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
	fmt.Fprintf(&b, "%s, %s, %s and %s would be served; %s.\n",
		plural(r.Hosts, "host"), plural(r.Routes, "route"), plural(r.Backends, "backend"), plural(r.Endpoints, "endpoint"), plural(len(r.Rejections), "rejection"))
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
