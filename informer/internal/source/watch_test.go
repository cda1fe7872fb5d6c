package source

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watched delivers a folder to a queue, and returns what waits until the queue has told of the hosts wanted. What
// goes is gone for good.
func watched(t *testing.T, root string, every time.Duration) (reach *Reach, expect func(what, want string)) {
	t.Helper()
	reach = new(Reach)
	m := NewManifests(root, nil, slog.New(slog.DiscardHandler), reach)
	m.grace, m.every = time.Millisecond, every
	q := NewQueue()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, q) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	told := make(told)
	return reach, func(what, want string) {
		t.Helper()
		deadline := time.After(time.Minute)
		for last := "nothing"; last != want; {
			select {
			case <-q.Wake():
			case <-deadline:
				t.Fatalf("%s: last told of %q, want %q", what, last, want)
			}
			pending, _ := q.Take()
			for key, object := range pending {
				told.hear(Event{key, object})
			}
			last = told.hosts() + strings.ReplaceAll(told.faults(), root+"/", "")
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
	const others = "; File fifo.yaml: it is a FIFO, and only regular files are read; File loop: the link leads to itself"
	_, expect := watched(t, root, 10*time.Millisecond)
	expect("the start", "a.test; File broken.yaml: document 1: line 1: a value is missing, or begins with a character that it cannot begin with; nothing of the file is served"+others)
	write(t, filepath.Join(root, "broken.yaml"), ingressManifest("b", "b.test"))
	expect("a file that is mended", "a.test b.test"+others)
}
