package annotation

import (
	"maps"
	"slices"
	"strings"
)

// Parse reads the annotations under our prefixes, and calls reject with name, value and reason for each that cannot be
// kept as it is.
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
	for _, key := range slices.Sorted(maps.Keys(names)) {
		name := names[key]
		row := find(key, strings.HasPrefix(name, OwnPrefix))
		if row == nil {
			reject(name, all[name], "no such annotation is supported; it has no effect")
			continue
		}
		if err := row.Set(&s, all[name]); err != nil {
			reject(name, all[name], err.Error())
		}
	}
	return s
}

// Name returns the full name of the annotation that counts for a key.
func Name(all map[string]string, key string) string {
	if _, own := all[OwnPrefix+key]; own {
		return OwnPrefix + key
	}
	return NginxPrefix + key
}
