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
	w := &folderWatch{manifests: m, queue: q, watcher: watcher, root: filepath.Clean(m.path), touched: make(map[string]bool)}
	// The parent's events show that the root itself is replaced.
	if err := watcher.Add(filepath.Dir(w.root)); err != nil {
		return fmt.Errorf("watch parent of manifests: %w", err)
	}
	if err := w.scan(); err != nil {
		return fmt.Errorf("read manifests: %w", err)
	}
	m.reach.note(nil)
	q.Listed()
	w.run(ctx)
	return nil
}

// folderWatch has Manifests scanned where fsnotify reports changes, or where time has come. Used by Run's goroutine.
type folderWatch struct {
	manifests *Manifests
	queue     *Queue
	watcher   *fsnotify.Watcher
	root      string
	// touched are the files reported since the last scan.
	touched map[string]bool
	// blind is true where a folder could not be watched in the last scan.
	blind bool
}

// run scans after each burst of events, until ctx ends.
func (w *folderWatch) run(ctx context.Context) {
	m := w.manifests
	// The timer is for the end of a burst of events; without events, for changes due to time alone.
	timer := time.NewTimer(m.rest(w.blind))
	defer timer.Stop()
	var deadline time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-w.watcher.Errors:
			// Events were lost; the next scan shows the changes they were about.
			m.log.Warn("watching manifests", "error", err)
		case e := <-w.watcher.Events:
			if !w.takes(e) {
				continue
			}
		case <-timer.C:
			deadline = time.Time{}
			err := w.scan()
			if changed := m.reach.note(err); changed && err != nil {
				m.log.Error("manifests cannot be read; the last good state stays", "error", err)
			}
			timer.Reset(m.rest(w.blind || err != nil))
			continue
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(maxSettle)
		}
		timer.Reset(min(settle, deadline.Sub(now)))
	}
}

// takes notes what an event touches, and reports whether a scan is due.
func (w *folderWatch) takes(e fsnotify.Event) bool {
	if !concerns(w.root, e) {
		return false
	}
	if !e.Has(fsnotify.Write) {
		// Another directory may be behind the name now, and be watched anew by the scan.
		// Remove fails for a name that is no watched directory.
		_ = w.watcher.Remove(e.Name)
	}
	w.touched[w.manifests.shownAs(e.Name)] = true
	return true
}

// scan reads what has changed, and watches the folders that there are now.
func (w *folderWatch) scan() error {
	defer clear(w.touched)
	watched := map[string]bool{filepath.Dir(w.root): true}
	var failed error
	events, err := w.manifests.scan(w.touched, func(dir string) {
		watched[dir] = true
		if err := w.watcher.Add(dir); err != nil && failed == nil {
			failed = err
		}
	})
	if err != nil {
		return err
	}
	// A folder that cannot be watched is read from time to time instead.
	if failed != nil && !w.blind {
		w.manifests.log.Warn("manifests cannot be watched", "every", w.manifests.every, "error", failed)
	}
	w.blind = failed != nil
	for _, dir := range w.watcher.WatchList() {
		if !watched[dir] {
			_ = w.watcher.Remove(dir)
		}
	}
	w.queue.Push(events...)
	return nil
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
func concerns(root string, e fsnotify.Event) bool {
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
