package source

import "log/slog"

// Contents is what manifests hold at one time. Made by ReadManifests; the caller owns it.
type Contents struct {
	// Events has the objects, and the Faults of entries.
	Events []Event
	// Skipped are the objects whose kinds are not read, in the order of their files.
	Skipped []Skipped
	// Ignored are the first files whose names are not those of manifests, and MoreIgnored counts the others.
	Ignored     []string
	MoreIgnored int
}

// ReadManifests reads a folder, or one file, once. Only what is wrong with path itself is an error.
func ReadManifests(path string, namespaces Namespaces) (*Contents, error) {
	m := NewManifests(path, namespaces, slog.New(slog.DiscardHandler), new(Reach))
	events, err := m.scan(nil, nil)
	if err != nil {
		return nil, err
	}
	c := &Contents{Events: events, Skipped: m.skipped(), MoreIgnored: m.more}
	for _, path := range m.ignored {
		c.Ignored = append(c.Ignored, shownPath(path))
	}
	return c, nil
}
