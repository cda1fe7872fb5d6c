package informer

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-gateway/sluice/routing"
)

// watched runs a Controller of a folder, and returns what waits until it serves the hosts wanted.
func watched(t *testing.T, root string, every time.Duration) (c *Controller, expect func(what, want string)) {
	t.Helper()
	published := make(chan string, 100)
	c, err := New(Config{Manifests: root}, new(routing.Store), Options{
		Logger:    slog.New(slog.DiscardHandler),
		OnPublish: func(s *routing.Snapshot) { published <- hosts(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	m := c.source.(*manifests)
	m.grace, m.every = time.Millisecond, every
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c, func(what, want string) {
		t.Helper()
		deadline := time.After(patience)
		for last := "nothing"; last != want; {
			select {
			case last = <-published:
			case <-deadline:
				t.Fatalf("%s: last published %q, want %q", what, last, want)
			}
		}
	}
}

// TestWatchLinkedFolders: changes behind links are seen, those of the links on the way too, for which
// there is no event.
func TestWatchLinkedFolders(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(root, "service.yaml"), manifestService)
	write(t, filepath.Join(outside, "1", "a.yaml"), ingressManifest("a", "one.test"))
	write(t, filepath.Join(outside, "2", "a.yaml"), ingressManifest("a", "two.test"))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("1", filepath.Join(outside, "current")))
	must(os.Symlink(filepath.Join(outside, "current"), filepath.Join(root, "sub")))
	_, expect := watched(t, root, lookAgain)
	expect("the start", "one.test")
	write(t, filepath.Join(outside, "1", "a.yaml"), ingressManifest("a", "changed.test"))
	expect("a file behind the link", "changed.test")
	write(t, filepath.Join(outside, "1", "deep", "b.yaml"), ingressManifest("b", "b.test"))
	expect("a folder behind the link", "b.test changed.test")

	_, expect = watched(t, root, 10*time.Millisecond)
	expect("the start of another", "b.test changed.test")
	must(os.Symlink("2", filepath.Join(outside, "next")))
	must(os.Rename(filepath.Join(outside, "next"), filepath.Join(outside, "current")))
	expect("another link on the way", "two.test")
}

// TestStartWithBadEntries: a gateway starts with the readable entries.
func TestStartWithBadEntries(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "all.yaml"), manifestService+"---\n"+ingressManifest("a", "a.test"))
	write(t, filepath.Join(root, "broken.yaml"), "a: [")
	if err := unix.Mkfifo(filepath.Join(root, "fifo.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	c, expect := watched(t, root, 10*time.Millisecond)
	expect("the start", "a.test")
	if list := c.Rejections(); len(list) != 3 {
		t.Errorf("Rejections %v", list)
	}
	write(t, filepath.Join(root, "broken.yaml"), ingressManifest("b", "b.test"))
	expect("a file that is mended", "a.test b.test")
}
