package informer

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifests reads a directory of manifests, or one file. A file that does not read or parse keeps
// its last good state and is reported; of an object in two files the file that sorts first is right.
// Used by one goroutine.
//
// Files are those named *.yaml, *.yml and *.json, in every directory below that is not hidden; hidden
// ones are editors' temporary files, and the versions behind a mounted ConfigMap. Symbolic links to
// files are followed, which is how a mounted ConfigMap shows its current version; links to
// directories are not, except for the root itself.
type manifests struct {
	// Immutable:
	cfg   *Config
	log   *slog.Logger
	stats *stats

	// As of the last scan:
	files   map[string]*manifestFile
	objects map[objectKey]any
	reports map[string][]Rejection
}

// manifestFile is the last good state of a file, and what is wrong with its present one.
type manifestFile struct {
	info   fs.FileInfo
	events []event
	err    error
}

func newManifests(cfg *Config, log *slog.Logger, stats *stats) *manifests {
	return &manifests{cfg: cfg, log: log, stats: stats, files: make(map[string]*manifestFile)}
}

// scan reads what has changed since the last scan and returns the difference. Files in touched are
// read even when they look the same. entering is called with each directory before it is listed, and
// may be nil. An error leaves everything as it was.
func (m *manifests) scan(touched map[string]bool, entering func(dir string)) ([]event, error) {
	infos, err := m.list(entering)
	if err != nil {
		return nil, err
	}
	next := make(map[string]*manifestFile, len(infos))
	for path, info := range infos {
		next[path] = m.read(path, info, touched[path])
	}
	m.files = next
	return m.merge(), nil
}

// list finds the files. What vanishes in between is not an error, but for the root.
func (m *manifests) list(entering func(string)) (map[string]fs.FileInfo, error) {
	root, err := filepath.EvalSymlinks(m.cfg.Manifests)
	if err != nil {
		return nil, err
	}
	found := make(map[string]fs.FileInfo)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path != root && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if path != root && isHidden(path) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if entering != nil {
				entering(path)
			}
			return nil
		}
		if path != root && !isManifest(path) {
			return nil
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			found[m.shown(root, path)] = info
		}
		return nil
	})
	return found, err
}

// shown gives a path under the name that the root was configured with.
func (m *manifests) shown(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == "." {
		return m.cfg.Manifests
	}
	return filepath.Join(m.cfg.Manifests, rel)
}

func isHidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }

func isManifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// read returns the state of one file, from memory where it looks unchanged.
func (m *manifests) read(path string, info fs.FileInfo, touched bool) *manifestFile {
	old := m.files[path]
	if old != nil && !touched && os.SameFile(old.info, info) &&
		old.info.Size() == info.Size() && old.info.ModTime().Equal(info.ModTime()) {
		return old
	}
	events, ignored, err := decodeFile(path)
	if err != nil {
		m.log.Warn("manifest refused; its last good state stays", "file", path, "error", err)
		next := &manifestFile{info: info, err: err}
		if old != nil {
			next.events = old.events
		}
		return next
	}
	if len(ignored) > 0 {
		slices.Sort(ignored)
		m.log.Info("manifest holds kinds that are not used", "file", path, "kinds", slices.Compact(ignored))
	}
	return &manifestFile{info: info, events: events}
}

// merge puts all files together and returns what differs from the last time.
func (m *manifests) merge() (events []event) {
	objects := make(map[objectKey]any, len(m.objects))
	reports := make(map[string][]Rejection)
	from := make(map[objectKey]string, len(m.objects))
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		file := m.files[path]
		if file.err != nil {
			reports[path] = append(reports[path], fileRejection(path, "", file.err.Error()+"; the last good state of the file stays"))
		}
		for _, e := range file.events {
			if e.key.Namespace != "" && !m.cfg.watches(e.key.Namespace) {
				continue
			}
			if first, twice := from[e.key]; twice {
				reports[path] = append(reports[path], fileRejection(path, e.key.String(),
					fmt.Sprintf("%s defines it already, and that one is used; remove one of the two", first)))
				continue
			}
			objects[e.key], from[e.key] = e.object, path
		}
	}
	for key, object := range objects {
		if m.objects[key] != object {
			events = append(events, event{key, object})
		}
	}
	for key := range m.objects {
		if _, still := objects[key]; !still {
			events = append(events, event{key, nil})
		}
	}
	for path, list := range reports {
		if !slices.Equal(m.reports[path], list) {
			events = append(events, event{fileKey(path), list})
		}
	}
	for path := range m.reports {
		if _, still := reports[path]; !still {
			events = append(events, event{fileKey(path), nil})
		}
	}
	m.objects, m.reports = objects, reports
	return events
}

func fileRejection(path, value, reason string) Rejection {
	r := Rejection{Object: Object{Kind: "File", Name: path}, Reason: reason}
	if value != "" {
		r.Field, r.Value = "object", shorten(value)
	}
	return r
}
