package source

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

// lookEvery is how often a folder is read when watching does not show all its changes: one behind a
// link, or that could not be read, or not be watched.
const lookEvery = 10 * time.Second

// lookAgain bounds the wait for what comes with time alone, in case the clock jumps.
const lookAgain = time.Hour

// configMapVersion is the link that the kubelet swaps when a mounted ConfigMap changes.
const configMapVersion = "..data"

// Run watches the files until ctx ends.
func (m *Manifests) Run(ctx context.Context, q *Queue) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch manifests: %w", err)
	}
	defer watcher.Close()
	// The parent's events show that the root itself is replaced.
	root := filepath.Clean(m.path)
	if err := watcher.Add(filepath.Dir(root)); err != nil {
		return fmt.Errorf("watch parent of manifests: %w", err)
	}
	var watched map[string]bool
	var watchErr error
	entering := func(dir string) {
		watched[dir] = true
		if err := watcher.Add(dir); err != nil && watchErr == nil {
			watchErr = err
		}
	}
	blind := false
	scan := func(touched map[string]bool) error {
		watched, watchErr = map[string]bool{filepath.Dir(root): true}, nil
		events, err := m.scan(touched, entering)
		if err != nil {
			return err
		}
		// A folder that cannot be watched is read from time to time instead.
		if watchErr != nil && !blind {
			m.log.Warn("manifests cannot be watched", "every", m.every, "error", watchErr)
		}
		blind = watchErr != nil
		for _, dir := range watcher.WatchList() {
			if !watched[dir] {
				_ = watcher.Remove(dir)
			}
		}
		q.Push(events...)
		return nil
	}
	if err := scan(nil); err != nil {
		return fmt.Errorf("read manifests: %w", err)
	}
	m.reach.note(nil)
	q.Listed()

	touched := make(map[string]bool)
	// The timer is for the end of a burst of events; without events, for changes due to time alone.
	timer := time.NewTimer(m.rest(blind))
	defer timer.Stop()
	var deadline time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			// Events were lost; the next scan shows the changes they were about.
			m.log.Warn("watching manifests", "error", err)
		case e := <-watcher.Events:
			if !m.concerns(root, e) {
				continue
			}
			if !e.Has(fsnotify.Write) {
				// Another directory may be behind the name now, and be watched anew by the scan.
				// Remove fails for a name that is no watched directory.
				_ = watcher.Remove(e.Name)
			}
			touched[m.shownAs(e.Name)] = true
		case <-timer.C:
			deadline = time.Time{}
			err := scan(touched)
			clear(touched)
			if changed := m.reach.note(err); changed && err != nil {
				m.log.Error("manifests cannot be read; the last good state stays", "error", err)
			}
			timer.Reset(m.rest(blind || err != nil))
			continue
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(maxSettle)
		}
		timer.Reset(min(settle, deadline.Sub(now)))
	}
}

// rest is how long nothing need be read when there are no events.
func (m *Manifests) rest(blind bool) time.Duration {
	wait := lookAgain
	if blind || m.blind {
		wait = m.every
	}
	if !m.next.IsZero() {
		wait = min(wait, max(0, m.next.Sub(m.now())))
	}
	return wait
}

// concerns reports whether an event can change what scan finds.
func (m *Manifests) concerns(root string, e fsnotify.Event) bool {
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
