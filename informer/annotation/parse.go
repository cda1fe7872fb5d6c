package annotation

import (
	"maps"
	"slices"
	"strings"
)

// Parse reads the annotations under both prefixes, and calls reject with name, value and reason for each that cannot
// be kept as it is.
func Parse(all map[string]string, reject func(name, value, reason string)) Settings {
	s := defaults()
	names := make(map[string]string, len(all)) // by key
	for name := range all {
		if key, ok := strings.CutPrefix(name, OwnPrefix); ok {
			names[key] = name
		} else if key, ok := strings.CutPrefix(name, NginxPrefix); ok {
			names[key] = Name(all, key)
		}
	}
	var dependent []string
	for _, key := range slices.Sorted(maps.Keys(names)) {
		name := names[key]
		row := find(key, strings.HasPrefix(name, OwnPrefix))
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
		find(key, strings.HasPrefix(name, OwnPrefix)).read(&s, name, all[name], reject)
	}
	return s
}

func (r *Row) read(s *Settings, name, value string, reject func(name, value, reason string)) {
	if err := r.Set(s, value); err != nil {
		reject(name, value, err.Error())
	}
}

// Name returns the full name of the annotation that counts for a key.
func Name(all map[string]string, key string) string {
	if _, own := all[OwnPrefix+key]; own {
		return OwnPrefix + key
	}
	return NginxPrefix + key
}
