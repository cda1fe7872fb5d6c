package annotation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const filtersKey = "filters"

// maxAttached bounds the filters that one annotation names.
const maxAttached = 32

// Filters of the program, by name.
var _ = add(Row{
	Key: filtersKey, Scope: ScopeRoute, Value: "names, with commas between; each may have @ and a stage behind it", OwnOnly: true,
	Set: attaching(nil),
	Get: func(s *Settings) any { return len(s.Policy.Filters) },
	Doc: "Filters that the program registers, beside the gateway's own: each is attached to the Routes of the object, in its own stage or at the end of the one behind the @, such as audit@access. " +
		"The stages from the outside in: " + stageNames() + ". " +
		"A name that is not registered, or a stage that is none, closes the object: what is missing may have been there to protect it.",
})

func stageNames() string {
	var names []string
	for _, s := range policy.Stages() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// Attach makes the configuration of a filter that an object attaches by its name alone. stage is "" for the filter's own.
type Attach func(stage policy.Stage) policy.Filter

// movable is a configuration that can be moved to another Stage.
type movable interface {
	At(policy.Stage) policy.Filter
}

// attaching makes the Set of the Row.
func attaching(known map[policy.Kind]Attach) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		var list []policy.Filter
		named := map[policy.Kind]bool{}
		for word := range strings.SplitSeq(value, ",") {
			name, stage, moved := strings.Cut(strings.TrimSpace(word), "@")
			kind, at := policy.Kind(strings.TrimSpace(name)), policy.Stage(strings.TrimSpace(stage))
			attach := known[kind]
			switch {
			case attach == nil:
				return s.close(fmt.Sprintf("%s is no filter of this program, which has %s; every path of the object answers 503", brief(string(kind)), listed(known)))
			case moved && !at.Known():
				return s.close(fmt.Sprintf("%s is no stage: want %s; every path of the object answers 503", brief(string(at)), stageNames()))
			case named[kind]:
				return s.close(brief(string(kind)) + " is named twice; every path of the object answers 503")
			case len(named) == maxAttached:
				return s.close(fmt.Sprintf("want at most %d filters; every path of the object answers 503", maxAttached))
			}
			named[kind] = true
			f := attach(at)
			if has, ok := s.Policy.Filter(kind).(movable); ok {
				f = has.At(at) // an annotation of its own has settings for it
			}
			if f == nil {
				return s.close(brief(string(kind)) + " could not be attached; every path of the object answers 503")
			}
			list = append(list, f)
		}
		for _, f := range list {
			s.Policy.Set(f)
		}
		return nil
	}
}

func listed(known map[policy.Kind]Attach) string {
	if len(known) == 0 {
		return "none of its own"
	}
	var names []string
	for _, kind := range slices.Sorted(maps.Keys(known)) {
		names = append(names, string(kind))
	}
	return strings.Join(names[:min(len(names), maxAttached)], ", ")
}

// errPanicked is why a value is refused whose check panicked.
var errPanicked = errors.New("its check has failed")
