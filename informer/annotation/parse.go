package annotation

import (
	"maps"
	"slices"
	"strings"
)

// Parse reads the annotations under both prefixes, and calls reject with name, value and reason for each that cannot
// be kept as it is.
func Parse(all map[string]string, reject func(name, value, reason string)) Settings {
	return (&Defaults{}).Parse(all, reject)
}

// Parse is the function Parse, with defaults. What is wrong with a default is not the object's, and is not told here.
func (d *Defaults) Parse(all map[string]string, reject func(name, value, reason string)) Settings {
	s := defaults()
	names := make(map[string]string, len(all)) // by key
	for name := range all {
		if key, ok := strings.CutPrefix(name, OwnPrefix); ok {
			names[key] = name
		} else if key, ok := strings.CutPrefix(name, NginxPrefix); ok {
			names[key] = Name(all, key)
		}
	}
	values := d.values(names, all)
	// With the name "" for what is a default.
	keys := slices.Collect(maps.Keys(names))
	for key := range values {
		if _, own := names[key]; !own {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	present := func(key string) bool { return names[key] != "" || key != "" && values[key] != "" }
	tell := func(name, value, reason string) {
		if name != "" {
			reject(name, value, reason)
		}
	}
	var dependent []string
	for _, key := range keys {
		name := names[key]
		value, row := valueOf(all, values, name, key), find(key, name == "" || strings.HasPrefix(name, OwnPrefix))
		switch {
		case row == nil:
			tell(name, value, "no such annotation is supported; it has no effect")
		case names[row.Unless] != "" || name == "" && present(row.Unless):
			tell(name, value, "it has no effect beside "+row.Unless)
		case row.Needs == "":
			row.read(&s, name, value, tell)
		case !present(row.Needs):
			tell(name, value, "it has no effect without "+row.Needs)
		default:
			dependent = append(dependent, key)
		}
	}
	for _, key := range dependent {
		name := names[key]
		find(key, name == "" || strings.HasPrefix(name, OwnPrefix)).read(&s, name, valueOf(all, values, name, key), tell)
	}
	d.finish(&s)
	return s
}

// valueOf returns the value of a key: that of the annotation called name, or the default where name is "".
func valueOf(all, defaults map[string]string, name, key string) string {
	if name == "" {
		return defaults[key]
	}
	return all[name]
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
