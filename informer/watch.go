package informer

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A directory is read again when it has been quiet for settle, because a file that is being written
// may parse although half of it is missing; and after maxSettle whatever happens.
const (
	settle    = 25 * time.Millisecond
	maxSettle = 500 * time.Millisecond
)

// configMapVersion is the link that the kubelet swaps when a mounted ConfigMap changes.
const configMapVersion = "..data"

// run watches the files until ctx ends.
func (m *manifests) run(ctx context.Context, q *queue) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch manifests: %w", err)
	}
	defer watcher.Close()
	// The parent tells when the root itself is replaced.
	root := filepath.Clean(m.cfg.Manifests)
	if err := watcher.Add(filepath.Dir(root)); err != nil {
		return fmt.Errorf("watch parent of manifests: %w", err)
	}
	var watchErr error
	entering := func(dir string) {
		if err := watcher.Add(dir); err != nil && watchErr == nil {
			watchErr = fmt.Errorf("watch manifests: %w", err)
		}
	}
	events, err := m.scan(nil, entering)
	if err != nil {
		return fmt.Errorf("read manifests: %w", err)
	}
	if watchErr != nil {
		return watchErr
	}
	m.stats.source(nil)
	q.push(events...)
	q.sync()

	touched := make(map[string]bool)
	var timer *time.Timer
	var due <-chan time.Time
	var deadline time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			// Events were lost; what they were about shows in the next scan.
			m.log.Warn("watching manifests", "error", err)
		case e := <-watcher.Events:
			if !m.concerns(root, e) {
				continue
			}
			if !e.Has(fsnotify.Write) {
				// Another directory may be behind the name now, and be watched anew by the scan.
				// It fails for what is no watched directory.
				_ = watcher.Remove(e.Name)
			}
			touched[m.underRoot(root, e.Name)] = true
		case <-due:
			due = nil
			watchErr = nil
			events, err := m.scan(touched, entering)
			clear(touched)
			if err == nil {
				err = watchErr
			}
			if m.stats.source(err); err != nil {
				m.log.Error("manifests cannot be read; the last good state stays", "error", err)
			}
			q.push(events...)
			continue
		}
		now := time.Now()
		if due == nil {
			deadline = now.Add(maxSettle)
		}
		wait := min(settle, deadline.Sub(now))
		if timer == nil {
			timer = time.NewTimer(wait)
			defer timer.Stop()
		} else {
			timer.Reset(wait)
		}
		due = timer.C
	}
}

// concerns reports whether an event can change what scan finds.
func (m *manifests) concerns(root string, e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	base := filepath.Base(e.Name)
	if base == configMapVersion {
		return true
	}
	name := filepath.Clean(e.Name)
	if name == root {
		return true
	}
	if filepath.Dir(name) == filepath.Dir(root) {
		// A neighbour of the root.
		return false
	}
	return !strings.HasPrefix(base, ".")
}

// underRoot gives the path of an event as scan shows it. The watched directories are real paths.
func (m *manifests) underRoot(root, name string) string {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return name
	}
	return m.shown(real, name)
}
