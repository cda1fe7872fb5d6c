package annotation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parse reads the annotations that t has, and calls reject with name, value and reason for each that cannot be kept as it
// is.
func (t *Table) Parse(all map[string]string, reject func(name, value, reason string)) Settings {
	s := defaults()
	names := make(map[string]string, len(all)) // by key
	for name := range all {
		switch key, ours := t.key(name); {
		case !ours:
		case key == name: // with a domain of its own
			names[key] = name
		default:
			names[key] = Name(all, key)
		}
	}
	row := func(key string) *Row { return t.find(key, !strings.HasPrefix(names[key], NginxPrefix)) }
	var dependent []string
	for _, key := range slices.Sorted(maps.Keys(names)) {
		name := names[key]
		row := row(key)
		switch {
		case row == nil:
			reject(name, all[name], "no such annotation is supported; it has no effect")
		case names[row.Unless] != "":
			reject(name, all[name], "it has no effect beside "+row.Unless)
		case row.Needs == "":
			row.read(&s, name, all[name], reject)
		case names[row.Needs] == "":
			reject(name, all[name], "it has no effect without "+row.Needs)
		default:
			dependent = append(dependent, key)
		}
	}
	for _, key := range dependent {
		name := names[key]
		row(key).read(&s, name, all[name], reject)
	}
	return s
}

// Parse is Table.Parse of the gateway's own annotations.
func Parse(all map[string]string, reject func(name, value, reason string)) Settings {
	return (*Table)(nil).Parse(all, reject)
}

func (r *Row) read(s *Settings, name, value string, reject func(name, value, reason string)) {
	err := r.check(s, value)
	if err == nil {
		return
	}
	if r.Secures || errors.Is(err, errPanicked) {
		err = fmt.Errorf("%w; %w", err, s.close("it may protect the object, of which every path answers 503 rather than being open"))
	}
	reject(name, value, err.Error())
}

// check calls Set, which may be a program's own: a panic there is about one value, and not about the goroutine that builds.
func (r *Row) check(s *Settings, value string) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	return r.Set(s, value)
}

// Name returns the full name of the annotation that counts for a key.
func Name(all map[string]string, key string) string {
	if _, own := all[OwnPrefix+key]; own {
		return OwnPrefix + key
	}
	return NginxPrefix + key
}
