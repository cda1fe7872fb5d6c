package informer

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-gateway/sluice/routing"
)

// manifest is an Ingress of a host, and a Service for it.
func manifest(name, host string) string {
	return strings.NewReplacer("NAME", name, "HOST", host).Replace(`apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  ports: [{port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec:
  rules:
  - host: HOST
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: NAME, port: {number: 80}}}}
`)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func hosts(s *routing.Snapshot) string {
	var names []string
	for h := range s.Table.Hosts() {
		names = append(names, h.Name())
	}
	return strings.Join(names, " ")
}

// TestManifestsAreServed: what a folder holds is live, what it lacks is a Rejection, and so is what changes.
func TestManifestsAreServed(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "a.yaml"), manifest("a", "a.test"))
	write(t, filepath.Join(root, "b.yaml"), manifest("a", "b.test"))
	write(t, filepath.Join(root, "broken.yaml"), "a: [")
	if err := unix.Mkfifo(filepath.Join(root, "fifo\n.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	published := make(chan string, 100)
	c, err := New(Config{Manifests: root}, new(routing.Store), Options{
		Logger:    slog.New(slog.DiscardHandler),
		OnPublish: func(s *routing.Snapshot) { published <- hosts(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	expect := func(what, want string) {
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
	rejected := func() string {
		var text strings.Builder
		for _, r := range c.Rejections() {
			text.WriteString(strings.ReplaceAll(r.String(), root+"/", "") + "\n")
		}
		return text.String()
	}
	expect("the start", "a.test")
	if s := c.Stats(); !c.Synced() || !s.Connected || s.Publishes != 1 {
		t.Errorf("after the start: synced %v, %+v", c.Synced(), s)
	}
	want := `File b.yaml: object="Ingress default/a": a.yaml defines it already, and that one is used; remove one of the two
File b.yaml: object="Service default/a": a.yaml defines it already, and that one is used; remove one of the two
File broken.yaml: document 1: line 1: a value is missing, or begins with a character that it cannot begin with; nothing of the file is served
File fifo?.yaml: it is a FIFO, and only regular files are read
`
	if got := rejected(); got != want {
		t.Errorf("Rejections\n%s\nwant\n%s", got, want)
	}
	write(t, filepath.Join(root, "broken.yaml"), manifest("mended", "mended.test"))
	expect("a file that is mended", "a.test mended.test")
	if got := rejected(); strings.Contains(got, "broken.yaml") {
		t.Errorf("Rejections of a file that is mended\n%s", got)
	}
}

// TestInspectDir: --manifests may name a file, too.
func TestInspectDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.yaml")
	write(t, file, manifest("a", "a.test"))
	i, err := InspectDir(file, Config{})
	if err != nil || len(i.Rejections) > 0 || hosts(i.Snapshot) != "a.test" {
		t.Errorf("a file: %+v, error %v", i, err)
	}
	if _, err := InspectDir(file+".missing", Config{}); err == nil || !strings.Contains(err.Error(), "read manifests: ") {
		t.Errorf("a missing file: %v", err)
	}
}
