package source

import (
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// grace is how long the state of a file stays after it was emptied or removed: many programs write a
// file by emptying it, or by moving it away, first. Its objects go at once where another file has them.
const grace = 5 * time.Second

// Manifests reads a folder of manifests, or one file. A file that cannot be read or parsed keeps its last
// good state and is reported; for an object in two files the file that sorts first counts. An entry that
// cannot be read is reported, and the rest is served.
//
// Manifests are files named *.yaml, *.yml and *.json, in every folder below that is not hidden; hidden
// ones are editors' temporary files, and the versions behind a mounted ConfigMap. Symbolic links are
// followed, which is how a mounted ConfigMap shows its current version, but not those that lead to a
// folder they are in. Used by one goroutine.
type Manifests struct {
	// Immutable:
	path       string
	namespaces Namespaces
	log        *slog.Logger
	reach      *Reach
	now        func() time.Time
	grace      time.Duration
	// every is how often a folder is read when watching does not show all its changes.
	every time.Duration

	// As of the last scan:
	files   map[string]*manifestFile
	objects map[Key]any
	reports map[string][]Fault
	dirs    map[string]string
	// next is when the state of a file lapses, zero for never, and blind is true where watching does not
	// show every change.
	next  time.Time
	blind bool
	// ignored are files that are not read, and more counts those that are not named.
	ignored []string
	more    int
}

// manifestFile is the last good state of a file, and the fault of its present one. Immutable.
type manifestFile struct {
	info    fs.FileInfo
	events  []Event
	skipped []Skipped
	err     error
	// lapses is set while the file is empty, or gone, and its state stays.
	lapses time.Time
	gone   bool
}

// NewManifests makes a source of a folder, or of one file. It reads nothing yet.
func NewManifests(path string, namespaces Namespaces, log *slog.Logger, reach *Reach) *Manifests {
	return &Manifests{path: path, namespaces: namespaces, log: log, reach: reach, now: time.Now, grace: grace, every: lookEvery, files: make(map[string]*manifestFile)}
}

// scan reads what has changed since the last scan and returns the difference. Files in touched are
// read even when they look the same. entering is called with each real folder before it is listed, and
// may be nil. An error leaves everything as it was.
func (m *Manifests) scan(touched map[string]bool, entering func(dir string)) ([]Event, error) {
	found, err := readFolder(m.path, entering)
	if err != nil {
		return nil, err
	}
	now := m.now()
	m.ignored, m.more = found.ignored, found.more
	m.next, m.dirs, m.blind = time.Time{}, found.dirs, found.linked || len(found.faults) > 0
	next := make(map[string]*manifestFile, len(found.files))
	for path, info := range found.files {
		next[path] = m.read(path, info, touched[path])
	}
	kept := make(map[string]bool)
	for path, old := range m.files {
		if next[path] != nil {
			continue
		}
		if entry, unknown := found.unknown(path); unknown {
			next[path] = old
			kept[entry] = kept[entry] || len(old.events) > 0
			continue
		}
		if len(old.events) > 0 && !old.gone {
			m.log.Info("manifest is gone; its objects follow unless it returns", "file", path, "after", m.grace)
		}
		next[path] = m.linger(old, nil)
	}
	for path, file := range next {
		switch {
		case file.lapses.IsZero():
		case !now.Before(file.lapses) && file.gone:
			delete(next, path)
		case !now.Before(file.lapses):
			next[path] = &manifestFile{info: file.info}
		case m.next.IsZero() || file.lapses.Before(m.next):
			m.next = file.lapses
		}
	}
	m.files = next
	return m.replace(m.unite(found.faults, kept)), nil
}

// linger keeps the state of a file that was emptied, or removed where info is nil, until grace has
// passed. A file that changes between the two gains no time.
func (m *Manifests) linger(old *manifestFile, info fs.FileInfo) *manifestFile {
	next := &manifestFile{info: info, events: old.events, lapses: old.lapses, gone: info == nil}
	if next.lapses.IsZero() {
		next.lapses = m.now().Add(m.grace)
		if len(old.events) == 0 {
			next.lapses = m.now()
		}
	}
	return next
}

// read returns the state of one file, from memory where it looks unchanged.
func (m *Manifests) read(path string, info fs.FileInfo, touched bool) *manifestFile {
	old := m.files[path]
	if old != nil && !old.gone && !touched && os.SameFile(old.info, info) &&
		old.info.Size() == info.Size() && old.info.ModTime().Equal(info.ModTime()) {
		return old
	}
	events, skipped, err := decodeFile(path)
	switch {
	case err != nil:
		next := &manifestFile{info: info, err: err}
		consequence := "nothing of it is served"
		if old != nil && len(old.events) > 0 {
			next.events = old.events
			consequence = "its last good state stays"
		}
		m.log.Warn("manifest refused; "+consequence, "file", path, "error", err)
		return next
	case len(events)+len(skipped) == 0 && old != nil && len(old.events) > 0:
		next := m.linger(old, info)
		if old.lapses.IsZero() {
			m.log.Info("manifest is empty; its objects follow unless it is filled", "file", path, "after", m.grace)
		}
		return next
	}
	m.logSkipped(path, skipped)
	for i := range skipped {
		skipped[i].File = shownPath(path)
	}
	return &manifestFile{info: info, events: events, skipped: skipped}
}

func (m *Manifests) logSkipped(path string, skipped []Skipped) {
	var kinds []string
	for _, s := range skipped {
		if s.Hint != "" {
			m.log.Warn("manifest holds a kind that is not used", "file", path, "place", s.Place, "kind", s.Object.Kind, "hint", s.Hint)
			continue
		}
		kinds = append(kinds, s.Object.Kind)
	}
	if len(kinds) > 0 {
		slices.Sort(kinds)
		m.log.Info("manifest holds kinds that are not used", "file", path, "kinds", slices.Compact(kinds))
	}
}

// skipped returns what was skipped in all files, in their order.
func (m *Manifests) skipped() (list []Skipped) {
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		list = append(list, m.files[path].skipped...)
	}
	return list
}

// shownAs gives the name of a file in a real folder.
func (m *Manifests) shownAs(real string) string {
	if dir, ok := m.dirs[filepath.Dir(real)]; ok {
		return filepath.Join(dir, filepath.Base(real))
	}
	return real
}
