package sluice

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter"
)

// Declaration is all there is to a filter of a program: its name, its place, its annotations, and how it is made. T holds what
// an object asks of it, as plain data. Objects that ask for nothing have no such filter, and pay nothing for it.
type Declaration[T any] struct {
	// Name is that of the filter in dumps, explain, metrics and logs: lower-case letters, digits and hyphens. An object
	// attaches the filter by it too, in sluice-gateway.io/filters.
	Name policy.Kind
	// Stage is where it stands, behind the gateway's own filters of the Stage; "" is policy.StageForward.
	Stage policy.Stage
	// Annotations set T. The zero value of T is that of an object that attaches the filter by its name alone.
	Annotations []Annotation[T]
	// New makes the filter for all Routes with the same settings, on the goroutine that builds Snapshots. An error, or a
	// panic, closes the Routes. The filter implements the phases of package server that it needs.
	New func(settings T, e server.Env) (server.Filter, error)
	// Outcomes are names of what it counts by Exchange.Count.
	Outcomes []string
}

// Annotation is one annotation of a Declaration. Its value is untrusted: whoever writes an Ingress writes it.
type Annotation[T any] struct {
	// Key follows sluice-gateway.io/, or is a whole name with a domain of your own, such as example.com/note.
	Key string
	// Value describes the form of values, Default what holds without one, and Doc the effect, in a line each: they are the
	// reference that `filters --annotations` prints.
	Value, Default, Doc string
	// Secures is true where the object must not be served without it: a value that Set refuses closes the Routes.
	Secures bool
	// Set checks a value and puts it into the settings. An error is the reason of the Rejection.
	Set func(settings *T, value string) error
}

// Filter is a Declaration of any type of settings, made by Declare.
type Filter struct {
	maker  server.Maker
	rows   []annotation.Row
	attach annotation.Attach
}

// Declare makes a Filter for Options.
func Declare[T any](d Declaration[T]) Filter {
	if d.Stage == "" {
		d.Stage = policy.StageForward
	}
	f := Filter{
		maker: server.Maker{Kind: d.Name, Stage: d.Stage, Outcomes: d.Outcomes, Make: func(f policy.Filter, e server.Env) (server.Filter, error) {
			return d.New(f.(*policy.Named[T]).Settings, e)
		}},
		attach: func(at policy.Stage) policy.Filter { return &policy.Named[T]{Name: d.Name, Stage: at} },
	}
	for _, a := range d.Annotations {
		row := annotation.Row{Key: a.Key, Scope: annotation.ScopeRoute, Value: a.Value, Default: a.Default, Doc: a.Doc, Secures: a.Secures}
		if a.Set != nil {
			row.Set = func(s *annotation.Settings, value string) error {
				next := &policy.Named[T]{Name: d.Name}
				if has, ok := s.Policy.Filter(d.Name).(*policy.Named[T]); ok {
					*next = *has
				}
				if err := a.Set(&next.Settings, value); err != nil {
					return err
				}
				s.Policy.Set(next)
				return nil
			}
		}
		f.rows = append(f.rows, row)
	}
	return f
}

// prepare checks the filters of the program, and joins them to the gateway's.
func (o *Options) prepare() error {
	makers := filter.Makers()
	attachable := map[policy.Kind]annotation.Attach{}
	var rows []annotation.Row
	for _, f := range o.Filters {
		name := f.maker.Kind
		switch {
		case name == "" || strings.Trim(string(name), "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return fmt.Errorf("filter %q: want a name of lower-case letters, digits and hyphens, given to Declare", name)
		case !f.maker.Stage.Known():
			return fmt.Errorf("filter %s: %q is no stage; there are %v", name, f.maker.Stage, policy.Stages())
		case slices.ContainsFunc(makers, func(m server.Maker) bool { return m.Kind == name }):
			return fmt.Errorf("filter %s: the name is taken", name)
		}
		makers = append(makers, f.maker)
		rows = append(rows, f.rows...)
		attachable[name] = f.attach
	}
	var err error
	if o.annotations, err = annotation.NewTable(rows, attachable); err != nil {
		return err
	}
	o.makers = append(makers, o.Server.Makers...)
	return nil
}

// forServer returns the data plane's options.
func (o *Options) forServer() server.Options {
	s := o.Server
	s.Makers = o.makers
	return s
}

// onion returns the places of all filters that objects can have.
func (o *Options) onion() policy.Onion { return server.Onion(o.makers) }
