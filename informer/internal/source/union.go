package source

import (
	"fmt"
	"maps"
	"slices"
)

// union is the content of all files together: of an object in two files that of the file that sorts first.
type union struct {
	objects map[Key]any
	// from has the file of each object, as it is shown.
	from    map[Key]string
	reports map[string][]Fault
}

func (u *union) fault(path, object, reason string) {
	u.reports[path] = append(u.reports[path], Fault{File: shownPath(path), Object: object, Reason: reason})
}

// unite puts all files together. faults are the entries that could not be read, and kept is true for those whose state
// stays, at least in part.
func (m *Manifests) unite(faults map[string]string, kept map[string]bool) *union {
	u := &union{objects: make(map[Key]any, len(m.objects)), from: make(map[Key]string, len(m.objects)), reports: make(map[string][]Fault)}
	for path, reason := range faults {
		if kept[path] {
			reason += "; the last good state of it stays"
		}
		u.fault(path, "", reason)
	}
	paths := slices.Sorted(maps.Keys(m.files))
	for _, path := range paths {
		file := m.files[path]
		if _, known := faults[path]; file.err != nil && !known {
			reason := "; nothing of the file is served"
			if len(file.events) > 0 {
				reason = "; the last good state of the file stays"
			}
			u.fault(path, "", file.err.Error()+reason)
		}
		if file.lapses.IsZero() {
			u.add(path, file.events, m.namespaces)
		} else if !file.gone {
			u.fault(path, "", fmt.Sprintf("the file is empty; its last state stays for %s and then goes", m.grace))
		}
	}
	// An object of a lingering file yields to one of a present file, and to the one in force since.
	for _, path := range paths {
		if file := m.files[path]; !file.lapses.IsZero() {
			u.linger(file.events, m.objects)
		}
	}
	return u
}

// add puts in the objects of a file that is present.
func (u *union) add(path string, events []Event, namespaces Namespaces) {
	for _, e := range events {
		// A ConfigMap counts where it is named, and the configuration may name one of any namespace.
		if e.Key.Kind != ConfigMap && e.Key.Namespace != "" && !namespaces.Has(e.Key.Namespace) {
			continue
		}
		if first, twice := u.from[e.Key]; twice {
			u.fault(path, e.Key.String(), first+" defines it already, and that one is used; remove one of the two")
			continue
		}
		u.objects[e.Key], u.from[e.Key] = e.Object, shownPath(path)
	}
}

// linger puts in the objects of a file that is empty or gone, as far as they are in force.
func (u *union) linger(events []Event, inForce map[Key]any) {
	for _, e := range events {
		if _, there := u.objects[e.Key]; !there && inForce[e.Key] == e.Object {
			u.objects[e.Key] = e.Object
		}
	}
}

// replace puts a union in force, and returns the difference to the one before.
func (m *Manifests) replace(u *union) (events []Event) {
	for key, object := range u.objects {
		if m.objects[key] != object {
			events = append(events, Event{key, object})
		}
	}
	for key := range m.objects {
		if _, still := u.objects[key]; !still {
			events = append(events, Event{key, nil})
		}
	}
	for path, list := range u.reports {
		if !slices.Equal(m.reports[path], list) {
			events = append(events, Event{fileKey(path), list})
		}
	}
	for path := range m.reports {
		if _, still := u.reports[path]; !still {
			events = append(events, Event{fileKey(path), nil})
		}
	}
	m.objects, m.reports = u.objects, u.reports
	return events
}
